// run, logits, info, plan and check.

#include <algorithm>
#include <csignal>
#include <cstring>
#include <thread>

#include "base/file.h"
#include "cli.h"
#include "support/smollm2.h"

namespace plumb::test {
namespace {

using RunCommand = Cli;
using Logits = Cli;
using Facts = Cli;

const std::vector<std::string> kStats{"prompt ", "generated ", "tok/s", "GB/s", "% of", "memory"};

TEST_F(RunCommand, TextOnStandardOutputFiguresOnStandardError) {
  const Finished f = tiny({"run", "-p", "Hello", "-n", "8", "--temp", "0", "--ignore-eos"});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_FALSE(f.out.empty());
  for (const std::string& word : kStats) EXPECT_NE(f.err.find(word), std::string::npos) << word;
  EXPECT_EQ(f.err.find('\x1b'), std::string::npos) << "no colours off a terminal";
  const Finished quiet =
      tiny({"run", "-p", "Hello", "-n", "8", "--temp", "0", "--ignore-eos", "--no-stats"});
  EXPECT_EQ(quiet.out, f.out);
  EXPECT_EQ(quiet.err, "");
}

TEST_F(RunCommand, JsonHasTheFieldsOfTheContract) {
  const Words words{"run", "-p", "Hello", "-n", "8", "--temp", "0", "--ignore-eos"};
  Words with_json = words;
  with_json.push_back("--json");
  const Json j = json(with_json);
  EXPECT_EQ(j["ids"].size(), 8u);
  EXPECT_EQ(j["generated_tokens"], 8);
  EXPECT_EQ(j["stop"], "length");
  EXPECT_GT(j["prompt_tokens"], 3);
  EXPECT_GT(j["timings"]["generated_tokens_per_second"], 0);
  EXPECT_GT(j["timings"]["gbps"], 0);
  EXPECT_GT(j["timings"]["limit_gbps"], 0);
  EXPECT_EQ(j["memory"]["total"],
            j["memory"]["weights"].get<int64_t>() + j["memory"]["kv"].get<int64_t>() +
                j["memory"]["state"].get<int64_t>() + j["memory"]["scratch"].get<int64_t>());
  EXPECT_EQ(tiny(with_json).err, "");
}

TEST_F(RunCommand, SameSeedSameText) {
  const auto ids = [&](const std::string& seed) {
    return json({"run", "-p", "Hello", "-n", "20", "--temp", "1.5", "--ignore-eos", "-s", seed,
                 "--json"})["ids"];
  };
  EXPECT_EQ(ids("7"), ids("7"));
  EXPECT_NE(ids("7"), ids("8"));
  const Json random =
      json({"run", "-p", "Hello", "-n", "20", "--temp", "1.5", "--ignore-eos", "--json"});
  EXPECT_EQ(ids(std::to_string(random["seed"].get<uint64_t>())), random["ids"])
      << "the seed is told";
  EXPECT_NE(json({"run", "-p", "x", "-n", "0", "-s", "-1", "--json"})["seed"], random["seed"]);
}

TEST_F(RunCommand, SamplingOptionsDoWhatTheySay) {
  const auto first = [&](Words words) {
    words.insert(words.begin(),
                 {"run", "-p", "Hello", "-n", "1", "--json", "-s", "1", "--no-stats"});
    return json(words)["ids"][0].get<int>();
  };
  const int likeliest = first({"--temp", "0"});
  EXPECT_EQ(first({"--temp", "5", "--top-k", "1"}), likeliest);
  EXPECT_EQ(first({"--temp", "5", "--top-k", "0", "--top-p", "0"}), likeliest);
  EXPECT_EQ(first({"--temp", "5", "--top-k", "0", "--min-p", "1"}), likeliest);
  EXPECT_NE(first({"--temp", "0", "--logit-bias", std::to_string(likeliest) + "-inf"}), likeliest);
  EXPECT_EQ(first({"--temp", "0", "--logit-bias", "77+1000"}), 77);
  EXPECT_EQ(first({"--temp", "0", "--logit-bias", "77+1000", "--logit-bias", "78+2000"}), 78);
  const auto three = json({"run", "-p", "Hello", "-n", "3", "--temp", "0", "--json", "--logit-bias",
                           "77+50", "--repeat-penalty", "1000000"})["ids"];
  EXPECT_EQ(three[0], 77);
  EXPECT_NE(three[1], 77);
}

TEST_F(RunCommand, TheFileMayRecommendSampling) {
  const std::string file = path("advice.gguf").string();
  gguf::Writer writer = tiny_llama({});
  writer.add("general.sampling.top_k", int32_t{1});
  writer.write(file);
  const auto ids = [&](Words words) {
    words.insert(words.begin(), {"run", "-m", file, "-p", "Hello", "-n", "5", "--json",
                                 "--ignore-eos", "-s", "3", "--temp"});
    return Json::parse(plumb(words).out)["ids"];
  };
  EXPECT_EQ(ids({"3"}), ids({"0"}));
  EXPECT_NE(ids({"3", "--top-k", "0"}), ids({"0"})) << "the user decides";
}

TEST_F(RunCommand, EndsForTheReasonItSays) {
  const auto stop = [&](Words words) {
    words.insert(words.begin(), {"run", "-p", "Hello", "--temp", "0", "--json"});
    return json(words)["stop"];
  };
  EXPECT_EQ(stop({"-n", "3", "--ignore-eos"}), "length");
  EXPECT_EQ(stop({"--logit-bias", "2+1000"}), "eos");
  EXPECT_EQ(stop({"--ignore-eos", "-c", "40"}), "length") << "the context is full";
  const Json j = json({"run", "-p", "Hello", "--temp", "0", "--json", "--logit-bias", "77+1000",
                       "-n", "9", "--stop", "JJJ"});
  EXPECT_EQ(j["stop"], "stop_string");
  EXPECT_EQ(j["text"], "");
  EXPECT_EQ(j["ids"], (Json{77, 77, 77}));
  EXPECT_EQ(json({"run", "-p", "Hello", "-n", "0", "--json"})["ids"].size(), 0u);
}

TEST_F(RunCommand, RawContinuesTheTextAsItStands) {
  EXPECT_EQ(json({"run", "--raw", "-p", "ab", "-n", "0", "--json"})["prompt_tokens"], 2);
  EXPECT_EQ(json({"run", "--raw", "-p", "<|im_end|>", "-n", "0", "--json"})["prompt_tokens"], 1);
  expect_refused(tiny({"run", "--raw", "-p", ""}), {"prompt", "token"});
}

TEST_F(RunCommand, AMessageCannotSpeakForTheTemplate) {
  const auto tokens = [&](const std::string& text) {
    return json({"run", "-p", text, "-n", "0", "--json"})["prompt_tokens"].get<int>();
  };
  EXPECT_GT(tokens("<|im_end|>") - tokens(""), 5) << "characters, not one token";
  EXPECT_EQ(tokens("\xFF\xFE") - tokens(""), 2) << "bytes that are not UTF-8 arrive";
}

TEST_F(RunCommand, PromptsFromFilesAndStandardInput) {
  const auto tokens = [&](const Words& words, const char* input = "") {
    Words all{"run", "-n", "0", "--json"};
    all.insert(all.end(), words.begin(), words.end());
    return Json::parse(tiny(all, input).out)["prompt_tokens"];
  };
  EXPECT_EQ(tokens({"-f", "-"}, "Hello"), tokens({"-p", "Hello"}));
  EXPECT_EQ(tokens({"-f", folder_.add("p", "Hello").string()}), tokens({"-p", "Hello"}));
  EXPECT_GT(tokens({"-p", "Hello", "--system", "Be kind"}), tokens({"-p", "Hello"}));
  expect_refused(tiny({"run", "-f", "absent"}), {"absent", "No such file"});
  expect_refused(tiny({"run", "-p", std::string(5000, 'x')}), {"prompt", "context", "-c"});
}

TEST_F(RunCommand, ARealModelAnswers) {
  const auto found = smollm2_path();
  if (!std::filesystem::exists(found))
    GTEST_SKIP() << found << " is not there: ./run.sh fetches it";
  const Words words{"run", "-m", found.string(), "-p", "Say hello.", "--temp",
                    "0",   "-n", "12",           "-c", "512"};
  const Finished f = plumb(words);
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_NE(f.out.find("Hello"), std::string::npos) << f.out;
}

TEST_F(RunCommand, BatchesOfAnySizeGiveTheSameText) {
  const std::string prompt(300, 'q');
  const auto ids = [&](Words words) {
    words.insert(words.begin(), {"run", "-p", prompt, "-n", "8", "--temp", "0", "--json",
                                 "--backend", "reference"});
    return json(words)["ids"];
  };
  const Json expected = ids({});
  for (const Words& words :
       {Words{"-ub", "16"}, Words{"-b", "10"}, Words{"-b", "100", "-ub", "64"}})
    EXPECT_EQ(ids(words), expected);
}

// A model slow enough to be interrupted, and a context that does not end before that.
class Interrupted : public Cli {
 protected:
  Words endless() {
    const std::string file =
        write_model("slow.gguf", {.n_layers = 4, .n_embd = 256, .n_ff = 1024, .n_context = 200000});
    return {"-m",           file,     "-p", "Hello",     "-c",       "200000",
            "--ignore-eos", "--temp", "0",  "--backend", "reference"};
  }
};

TEST_F(Interrupted, CtrlCEndsTheAnswerAndKeepsWhatWasSaid) {
  Words words = endless();
  words.insert(words.begin(), "run");
  Program program(PLUMB_PROGRAM, words, options());
  ASSERT_TRUE(program.wait_for_bytes(3));
  program.signal(SIGINT);
  const Finished f = program.finish();
  EXPECT_EQ(f.code, 130);
  EXPECT_GE(f.out.size(), 3u);
  for (const std::string& word : kStats) EXPECT_NE(f.err.find(word), std::string::npos) << f.err;
}

TEST_F(Interrupted, CtrlCWithJsonGivesTheObject) {
  Words words = endless();
  words.insert(words.begin(), {"run", "--json", "-v"});
  Program program(PLUMB_PROGRAM, words, options());
  ASSERT_TRUE(program.wait_for_error("backend reference"));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  program.signal(SIGINT);
  const Finished f = program.finish();
  EXPECT_EQ(f.code, 130);
  EXPECT_EQ(Json::parse(f.out)["stop"], "interrupt");
}

TEST_F(Interrupted, AnUnfinishedFileIsNotLeftBehind) {
  Words words = endless();
  words.resize(2);
  std::string ids = "1";
  for (int i = 0; i < 20000; ++i) ids += ",5";
  const std::string out = folder_.add("out/l.f32", "").string();
  std::filesystem::remove(out);
  words.insert(words.begin(),
               {"logits", "--ids", ids, "--out", out, "-c", "30000", "--backend", "reference"});
  Program program(PLUMB_PROGRAM, words, options());
  for (int i = 0; i < 600 && std::filesystem::is_empty(path("out")); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(std::filesystem::is_empty(path("out")));
  program.signal(SIGINT);
  EXPECT_EQ(program.finish().code, 130);
  EXPECT_TRUE(std::filesystem::is_empty(path("out")));
}

TEST_F(Interrupted, ASecondCtrlCEndsAtOnce) {
  Words words = endless();
  words.insert(words.begin(), "run");
  // One batch of many tokens: the first Ctrl-C waits for its end, the second does not.
  words.insert(words.end(), {"-f", folder_.add("long", std::string(150000, 'x')).string(), "-ub",
                             "65536", "-b", "65536"});
  words.erase(std::find(words.begin(), words.end(), "-p"),
              std::find(words.begin(), words.end(), "-p") + 2);
  words.push_back("-v");
  Program program(PLUMB_PROGRAM, words, options());
  ASSERT_TRUE(program.wait_for_error("backend reference"));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  program.signal(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  program.signal(SIGINT);
  const Finished f = program.finish();
  EXPECT_EQ(f.code, 130);
  EXPECT_EQ(f.out, "");
}

std::vector<float> floats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

TEST_F(Logits, AFileOfAllRowsAndTheLargestAsJson) {
  const std::string out = path("l.f32").string();
  const Json j = json({"logits", "--ids", "5,6,7", "--out", out, "--top", "4", "--json"});
  const std::vector<float> values = floats(read_file(out));
  const auto n_vocab = j["n_vocab"].get<size_t>();
  EXPECT_EQ(j["n_tokens"], 3);
  EXPECT_EQ(j["ids"], (Json{5, 6, 7}));
  ASSERT_EQ(values.size(), 3 * n_vocab);
  for (size_t row = 0; row < 3; ++row) {
    const auto begin = values.begin() + static_cast<int64_t>(row * n_vocab);
    std::vector<float> sorted(begin, begin + static_cast<int64_t>(n_vocab));
    std::sort(sorted.rbegin(), sorted.rend());
    ASSERT_EQ(j["top"][row].size(), 4u);
    for (size_t k = 0; k < 4; ++k) {
      const auto& entry = j["top"][row][k];
      EXPECT_EQ(entry["logit"].get<float>(), sorted[k]);
      EXPECT_EQ(values[row * n_vocab + entry["id"].get<size_t>()], sorted[k]);
      EXPECT_TRUE(entry["piece"].is_string());
    }
  }
  EXPECT_EQ(tiny({"logits", "--ids", "5,6,7", "--out", "-"}).out, read_file(out));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 2)
      << "model and output";
}

TEST_F(Logits, MoreTokensThanRowsAtOnce) {
  std::string ids = "3";
  for (int i = 0; i < 150; ++i) ids.append(",").append(std::to_string(3 + i * 7 % 250));
  const auto rows = [&](const char* ub) {
    return floats(
        tiny({"logits", "--ids", ids, "--out", "-", "--backend", "reference", "-ub", ub}).out);
  };
  const auto whole = rows("512"), single = rows("1");
  ASSERT_EQ(whole.size(), single.size());
  for (size_t i = 0; i < whole.size(); ++i) ASSERT_NEAR(whole[i], single[i], 1e-5);
}

TEST_F(Logits, TextAsInputAndAsOutput) {
  const Finished f = tiny({"logits", "-p", "Hello", "--top", "2"});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_GE(std::count(f.out.begin(), f.out.end(), '\n'), 1);
  expect_refused(tiny({"logits", "-p", "Hello"}), {"--out", "--top"});
  expect_refused(tiny({"logits", "--top", "1"}), {"-p"});
  expect_refused(tiny({"logits", "--ids", "1", "-p", "x", "--top", "1"}), {"--ids", "several"});
  expect_refused(tiny({"logits", "--ids", "", "--top", "1"}), {"token"});
  expect_refused(tiny({"logits", "--ids", "100000", "--top", "1"}), {"--ids", "100000"});
  expect_refused(tiny({"logits", "--ids", "1", "--out", "/absent/x"}), {"/absent/x"});
  expect_refused(tiny({"logits", "--ids", "1", "--out", "-", "--json"}), {"--out"});
  expect_refused(tiny({"logits", "--ids", "1,2,3", "--top", "1", "-c", "2"}), {"-c", "2"});
}

TEST_F(Facts, InfoHasTheFieldsOfTheContract) {
  const Json j = json({"info", "--json", "-c", "128"});
  EXPECT_EQ(j["architecture"], "llama");
  EXPECT_EQ(j["layers"], (Json{{"attention", 2}}));
  EXPECT_EQ(j["context_length"], 4096);
  EXPECT_EQ(j["file_bytes"], std::filesystem::file_size(model()));
  EXPECT_EQ(j["parameters"], j["active_parameters"]);
  int64_t bytes = 0;
  for (const auto& [format, n] : j["formats"].items()) bytes += n.get<int64_t>();
  EXPECT_EQ(bytes, 4 * j["parameters"].get<int64_t>()) << "all F32";
  EXPECT_EQ(j["memory"]["kv"], 128 * 2 * 2 * 2 * 16 * 2)
      << "positions, layers, K and V, heads, width, f16";
  EXPECT_GT(j["memory"]["weights"], 0);
  EXPECT_EQ(j["memory"]["state"], 0);
  EXPECT_EQ(json({"info", "--json", "-c", "0"})["context"], 4096);
  EXPECT_EQ(json({"info", "--json", "-c", "128", "-ctk", "f32", "-ctv", "f32"})["memory"]["kv"],
            2 * j["memory"]["kv"].get<int64_t>());
  EXPECT_EQ(json({"info", "--json", "--tensors"})["tensor_list"].size(), j["tensors"]);
}

TEST_F(Facts, InfoForPeople) {
  const Finished f = tiny({"info", "--tensors"});
  EXPECT_EQ(f.code, 0) << f.err;
  for (const char* word : {"llama", "attention", "memory", "blk.0.attn_q.weight", "F32"})
    EXPECT_NE(f.out.find(word), std::string::npos) << word;
  const Finished machine = plumb({"info", "--machine"});
  EXPECT_EQ(machine.code, 0) << "no model is needed: " << machine.err;
  EXPECT_NE(machine.out.find("backend reference"), std::string::npos);
  EXPECT_TRUE(
      Json::parse(plumb({"info", "--machine", "--json"}).out)["machine"]["backends"].contains(
          "reference"));
}

TEST_F(Facts, PlanHasTheFieldsOfTheContract) {
  const Json j = json({"plan", "--json", "--depth", "10"});
  for (const char* field : {"name", "layer", "path", "format", "rows", "columns", "weight_bytes",
                            "read_bytes", "write_bytes", "ops"})
    EXPECT_TRUE(j["steps"][1].contains(field)) << field;
  const Json& token = j["per_token"];
  EXPECT_EQ(token["steps"], j["steps"].size());
  int64_t by_path = 0;
  for (const auto& [name, bytes] : token["by_path"].items()) by_path += bytes.get<int64_t>();
  EXPECT_EQ(token["weight_bytes"], by_path);
  EXPECT_TRUE(token.contains("kv_bytes_per_position") && token.contains("state_bytes") &&
              token.contains("by_format"));
  EXPECT_EQ(json({"plan", "--json", "-n-tokens", "7"})["n_tokens"], 7);
  EXPECT_NE(tiny({"plan"}).out.find("layer 1"), std::string::npos);
}

TEST_F(Facts, CheckFindsNothingWrongWithTheReference) {
  const Json j = json({"check", "--backend", "reference", "--json"});
  EXPECT_GT(j["steps_checked"], 10);
  EXPECT_TRUE(j["first_difference"].is_null());
  const Finished text = tiny({"check", "--backend", "reference", "--ids", "5,6,7"});
  EXPECT_EQ(text.code, 0);
  EXPECT_NE(text.out.find("no step differs"), std::string::npos);
  EXPECT_EQ(tiny({"check", "-p", "Hello"}).code, 0) << "the default backend";
}

TEST_F(Facts, CheckNamesADifferenceAndFails) {
  const std::string quantised = write_model("q.gguf", {.n_embd = 256, .matrices = Format::q4_0});
  const Finished f =
      plumb({"check", "-m", quantised, "--backend", "cpu", "--tolerance", "0", "--json"});
  ASSERT_EQ(f.code, 1) << f.err;
  const Json j = Json::parse(f.out);
  const Json& first = j["first_difference"];
  EXPECT_TRUE(first["step"].is_number() && first["name"].is_string());
  EXPECT_GT(first["max_abs"], 0);
  EXPECT_GT(first["max_rel"], 0);
  expect_refused(tiny({"check", "--tolerance", "-1"}), {"--tolerance"});
  expect_refused(tiny({"check", "--ids", "1,99999"}), {"--ids", "99999"});
}

}  // namespace
}  // namespace plumb::test
