// logits, info, plan and check.

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/file.h"
#include "cli.h"
#include "support/model_shapes.h"

namespace plumb::test {
namespace {

using Logits = Cli;
using Facts = Cli;

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
  expect_refused(tiny({"logits", "--ids", "1", "--out", ""}), {"file to write", "expected a name"});
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

class FamilyFacts : public Facts {
 protected:
  std::string write_shape(const ModelShape& shape) {
    const auto file = path(shape.name + ".gguf");
    random_model(shape).write(file);
    return file.string();
  }
  Json info(const std::string& file, Words words = {}) {
    words.insert(words.begin(), {"info", "--json", "-m", file});
    const Finished f = plumb(words);
    EXPECT_EQ(f.code, 0) << f.err;
    return Json::parse(f.out, nullptr, false);
  }
};

// Of a table a token reads a row; a head that is tied to it multiplies by all of it.
TEST_F(FamilyFacts, TablesThatAreOnlyLookedUpDoNotWorkOnAToken) {
  ModelShape shape = model_shape("tiny-qwen3");
  for (const bool tied : {false, true}) {
    shape.tied = tied;
    const Json j = info(write_shape(shape));
    const int64_t rows = tied ? 0 : j["vocabulary"]["tokens"].get<int64_t>() - 1;
    EXPECT_EQ(j["active_parameters"], j["parameters"].get<int64_t>() - rows * shape.n_embd);
  }
}

TEST_F(FamilyFacts, InfoSaysWhatDoesNotFit) {
  const std::string file = write_shape(model_shape("tiny-qwen3"));
  EXPECT_TRUE(info(file)["fits"]);
  EXPECT_THAT(plumb({"info", "-m", file}).out, testing::Not(testing::HasSubstr("available now")));
  EXPECT_FALSE(info(file, {"-c", "2000000000"})["fits"]);
  EXPECT_THAT(plumb({"info", "-m", file, "-c", "2000000000"}).out,
              testing::HasSubstr("available now"));
}

TEST_F(FamilyFacts, InfoReportsBlocksThatAreLeftOut) {
  const std::string file = write_shape(model_shape("tiny-qwen35-mtp"));
  const Json j = info(file);
  EXPECT_EQ(j["left_out_layers"], 1);
  EXPECT_EQ(j["layers"], (Json{{"attention", 1}, {"delta_net", 3}}));
  EXPECT_LT(j["active_parameters"], j["parameters"]);
  const std::string text = plumb({"info", "-m", file}).out;
  EXPECT_THAT(text,
              testing::HasSubstr("1 more at the end, for predicting further tokens: left out"));
  EXPECT_THAT(text, testing::HasSubstr("  3 layers: gated delta net"));
  EXPECT_THAT(text, testing::HasSubstr("  1 layer: attention"));
}

// Whatever is cached: what grows with the positions, and what layers with a window hold at most.
TEST_F(FamilyFacts, InfoOfWindows) {
  const ModelShape shape = model_shape("tiny-gpt-oss");
  const std::string file = write_shape(shape);
  const int64_t bytes = 2 * shape.n_kv_heads * shape.head_dim * 2;  // of a layer's position
  for (const int64_t batch : {1, 200}) {
    const Json j = info(file, {"-c", "4096", "-ub", std::to_string(batch)});
    const Json& cache = j["cache"];
    EXPECT_EQ(cache["bytes_per_1000_positions"], 1000 * bytes * shape.n_layers / 2);
    const int64_t windows = cache["window_bytes"];
    EXPECT_GE(windows, bytes * (shape.window + batch - 1) * shape.n_layers / 2);
    EXPECT_LE(windows, bytes * (shape.window + batch + 128) * shape.n_layers / 2);
    EXPECT_EQ(j["memory"]["kv"], 4096 * bytes * shape.n_layers / 2 + windows) << "all of the cache";
  }
}

TEST_F(FamilyFacts, InfoSaysWhatExpertsNeed) {
  const std::string file = write_shape(model_shape("tiny-qwen3moe"));
  const Json j = info(file);
  EXPECT_LT(j["active_parameters"], j["parameters"]);
  EXPECT_GT(j["resident"]["all_experts"], j["resident"]["no_experts"]);
  EXPECT_EQ(j["resident"]["all_experts"], j["memory"]["total"]);
  EXPECT_THAT(plumb({"info", "-m", file}).out, testing::HasSubstr("experts: 4 of 16"));
  // From the file, too, what has been chosen is in memory.
  const Json mapped = info(file, {"--no-repack"});
  EXPECT_GT(mapped["resident"]["all_experts"].get<int64_t>(),
            mapped["resident"]["no_experts"].get<int64_t>() + j["file_bytes"].get<int64_t>() / 3);
}

TEST_F(Facts, WeightsThatStayInTheFileTakeNoMemory) {
  const Json copied = json({"info", "--json"})["memory"],
             mapped = json({"info", "--json", "--no-repack"})["memory"];
  EXPECT_EQ(copied["mapped"], 0);
  EXPECT_GT(mapped["mapped"], copied["weights"].get<int64_t>() / 2);
  EXPECT_LT(mapped["total"], copied["total"]);
  EXPECT_THAT(tiny({"info", "-nr"}).out, testing::HasSubstr("stay in the file"));
  EXPECT_THAT(tiny({"info"}).out, testing::Not(testing::HasSubstr("stay in the file")));
}

TEST_F(Logits, AreTheSameFromTheFile) {
  const auto bytes = [&](Words words) {
    words.insert(words.begin(), {"logits", "-p", "Hello you, all of you", "--out", "-"});
    return tiny(words).out;
  };
  const std::string expected = bytes({});
  EXPECT_FALSE(expected.empty());
  EXPECT_EQ(bytes({"-nr", "-t", "3"}), expected);
}

// What a file holds can be told of a model that plumb cannot run, too; that it cannot is the error.
TEST_F(Facts, InfoOfAnUnknownArchitecture) {
  gguf::Writer writer;
  writer.add("general.architecture", "mamba9");
  writer.add("mamba9.context_length", uint32_t{77});
  writer.add_tensor("a", Format::f32, {4, 2}, std::span<const float>(std::vector<float>(8)));
  const std::string file = path("mamba9.gguf").string();
  writer.write(file);
  const Finished text = plumb({"info", "-m", file, "--tensors"});
  EXPECT_EQ(text.code, 2) << "what was asked for is not all known";
  for (const char* word : {"mamba9", "8 parameters", "context 77", "F32 32 B", "4 x 2"})
    EXPECT_NE(text.out.find(word), std::string::npos) << word << " in " << text.out;
  EXPECT_EQ(std::count(text.err.begin(), text.err.end(), '\n'), 1) << text.err;
  for (const char* word : {"mamba9.gguf", "general.architecture", "expected", "llama", "mamba9\""})
    EXPECT_NE(text.err.find(word), std::string::npos) << word << " in " << text.err;
  const Json j = Json::parse(plumb({"info", "-m", file, "--json"}).out);
  EXPECT_EQ(j["architecture"], "mamba9");
  EXPECT_EQ(j["formats"]["F32"], 32);
  EXPECT_TRUE(j["memory"].is_null());
  EXPECT_NE(j["problem"].get<std::string>().find("architecture"), std::string::npos);
  expect_refused(tiny({"info", "--backend", "tpu"}), {"--backend", "tpu"});
}

TEST_F(Facts, InfoOfAnUnknownVocabulary) {
  const std::string file = write_model("odd.gguf", {.pre = "nobody-knows"});
  const Finished f = plumb({"info", "-m", file});
  EXPECT_EQ(f.code, 2);
  EXPECT_NE(f.err.find("nobody-knows"), std::string::npos) << f.err;
  for (const char* word : {"llama", "attention", "memory"})
    EXPECT_NE(f.out.find(word), std::string::npos) << "the model is known: " << f.out;
  EXPECT_EQ(f.out.find("no vocabulary"), std::string::npos) << f.out;
}

TEST_F(Facts, CheckRefusesAModelOfNoNumbers) {
  for (const float bad : {NAN, INFINITY}) {
    const std::string file = write_model("broken.gguf", {.final_norm = bad});
    expect_refused(plumb({"check", "-m", file}),
                   {"broken.gguf", "step ", "(head)", "expected finite numbers", "got "});
  }
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
