// run: text, figures, JSON, sampling, and Ctrl-C.

#include <algorithm>
#include <cmath>
#include <csignal>
#include <thread>

#include "cli.h"
#include "support/model_shapes.h"
#include "support/smollm2.h"

namespace plumb::test {
namespace {

using RunCommand = Cli;

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

// A layer with a window reads no further back, however long the prompt.
TEST_F(RunCommand, BytesOfATokenKnowWindows) {
  const auto file = path("gemma3.gguf").string();
  random_model(model_shape("tiny-gemma3")).write(file);
  const auto bytes = [&](int n_words) {
    std::string prompt;
    for (int i = 0; i < n_words; ++i) prompt += " a";
    const Finished f = plumb({"run", "-m", file, "--raw", "-p", prompt, "-n", "4", "--temp", "0",
                              "--ignore-eos", "--json"});
    EXPECT_EQ(f.code, 0) << f.err;
    const Json j = Json::parse(f.out);
    return std::pair(j["prompt_tokens"].get<double>(),
                     j["timings"]["bytes_per_token"].get<double>());
  };
  const auto [n, few] = bytes(100);
  const auto [m, more] = bytes(200);
  const Finished plan = plumb({"plan", "-m", file, "--json"});
  const double all = Json::parse(plan.out)["per_token"]["kv_bytes_per_position"].get<double>();
  EXPECT_GT(m, n + 50);
  EXPECT_GT(more, few);
  EXPECT_LT(more - few, 0.5 * all * (m - n));
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
  EXPECT_EQ(j["stop"], "eos");
  EXPECT_EQ(j["stop_string"], true);
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

// A command that fails says why and nothing else: the warnings that came first are not shown.
TEST_F(RunCommand, AModelOfNoNumbersIsRefusedInOneLine) {
  const std::string file = write_model("nan.gguf", {.chat_template = false, .final_norm = NAN});
  for (const char* temperature : {"0", "1"})
    expect_refused(plumb({"run", "-m", file, "-p", "Hello", "-c", "300", "--temp", temperature}),
                   {"nan.gguf", "logits", "expected a finite one", "got only NaN"});
  const Finished chat = plumb({"chat", "-m", file}, "Hello\n");
  expect_refused(chat, {"nan.gguf", "logits"});
  expect_refused(plumb({"logits", "-m", file, "--ids", "1,2", "--top", "1"}),
                 {"nan.gguf", "logits", "expected finite numbers after token 0, got nan"});
}

TEST_F(RunCommand, WarningsComeBeforeTheText) {
  const std::string file = write_model("bare.gguf", {.chat_template = false});
  for (const Words& more : {Words{"-n", "2"}, Words{"-n", "0"}, Words{"-n", "2", "--json"}}) {
    Words words{"run", "-m", file, "-p", "Hello", "-c", "300", "--no-stats"};
    words.insert(words.end(), more.begin(), more.end());
    const Finished f = plumb(words);
    EXPECT_EQ(f.code, 0) << f.err;
    EXPECT_NE(f.err.find("ChatML"), std::string::npos) << f.err;
    EXPECT_NE(f.err.find("trained for 256 positions"), std::string::npos) << f.err;
    EXPECT_EQ(std::count(f.err.begin(), f.err.end(), '\n'), 2) << f.err;
  }
}

TEST_F(RunCommand, MoreThreadsThanProcessorsStillSayTheShare) {
  const Finished f = tiny({"run", "-p", "Hello", "-n", "3", "-t", "256", "--ignore-eos"});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_NE(f.err.find("% of"), std::string::npos) << f.err;
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

TEST_F(Interrupted, NoSignalLeavesAnUnfinishedFile) {
  const Words tail = endless();
  std::filesystem::create_directory(path("out"));
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const std::string trace = path("out/trace.json").string();
    Program program(PLUMB_PROGRAM,
                    {"profile", "-m", tail[1], "-r", "1000000", "--trace", trace, "--wait"},
                    options());
    for (int i = 0; i < 600 && std::filesystem::is_empty(path("out")); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_FALSE(std::filesystem::is_empty(path("out")));
    program.signal(signal);
    EXPECT_EQ(program.finish().code, 128 + signal);
    EXPECT_TRUE(std::filesystem::is_empty(path("out"))) << signal;
  }
}

// One batch of many tokens, which would take minutes.
TEST_F(Interrupted, CtrlCEndsALongPromptInTheMiddleOfABatch) {
  const Words tail = endless();
  const std::string prompt = folder_.add("long", std::string(60000, 'x')).string();
  for (const std::string backend : {"reference", "cpu"}) {
    const Words words{"run", "-v",  "-m",    tail[1], "-f",    prompt,      "-c",
                      "0",   "-ub", "65536", "-b",    "65536", "--backend", backend};
    Program program(PLUMB_PROGRAM, words, options());
    ASSERT_TRUE(program.wait_for_error("backend " + backend)) << program.err();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    program.signal(SIGINT);
    const Finished f = program.finish();
    EXPECT_EQ(f.code, 130) << backend;
    EXPECT_EQ(f.out, "");
    EXPECT_NE(f.err.find("generated      0 tokens"), std::string::npos) << f.err;
  }
}

TEST_F(Interrupted, ASecondCtrlCEndsAtOnce) {
  Words words = endless();
  words.insert(words.begin(), {"run", "-v"});
  Program program(PLUMB_PROGRAM, words, options());
  ASSERT_TRUE(program.wait_for_error("backend reference"));
  program.signal(SIGINT);
  program.signal(SIGINT);
  EXPECT_EQ(program.finish().code, 130);
}

}  // namespace
}  // namespace plumb::test
