// ppl: the whole command on a tiny model.

#include <cmath>
#include <cstdio>

#include "base/file.h"
#include "cli.h"
#include "support/smollm2.h"

namespace plumb::test {
namespace {

class Ppl : public Cli {
 protected:
  std::string text() {
    std::string words;
    for (int i = 0; i < 200; ++i) words += "word" + std::to_string(i * 7919 % 1000) + " ";
    return folder_.add("text", words).string();
  }
};

// The logits of the command of that name, put together by hand.
TEST_F(Ppl, IsWhatTheLogitsSay) {
  const Json ppl =
      json({"ppl", "-f", text(), "-c", "64", "--chunks", "1", "--backend", "reference", "--json"});
  EXPECT_EQ(ppl["windows"], 1);
  EXPECT_EQ(ppl["tokens"], 31);
  const auto ids = json({"tokenize", "-f", text(), "--json"})["ids"].get<std::vector<int>>();
  std::string list;
  for (size_t i = 0; i < 64; ++i) list += std::to_string(ids[i]) + " ";
  const std::string file = path("logits").string();
  ASSERT_EQ(tiny({"logits", "--ids", list, "--out", file, "--backend", "reference"}).code, 0);
  const std::string bytes = read_file(file);
  const auto* logits = reinterpret_cast<const float*>(bytes.data());
  const size_t n_vocab = bytes.size() / sizeof(float) / 64;
  double nll = 0;
  for (size_t i = 32; i < 63; ++i) {
    double sum = 0;
    for (size_t v = 0; v < n_vocab; ++v) sum += std::exp(double{logits[i * n_vocab + v]});
    nll += std::log(sum) - double{logits[i * n_vocab + static_cast<size_t>(ids[i + 1])]};
  }
  EXPECT_NEAR(ppl["ppl"].get<double>(), std::exp(nll / 31), 1e-3);
}

TEST_F(Ppl, OneRunAgainstAnother) {
  const Json same = json(
      {"ppl", "-f", text(), "-c", "32", "--base-backend", "cpu", "--backend", "cpu", "--json"});
  EXPECT_EQ(same["kld_mean"], 0);
  EXPECT_EQ(same["same_top"], 1);
  EXPECT_EQ(same["ppl"], same["ppl_base"]);
  const Json other =
      json({"ppl", "-f", text(), "-c", "32", "--base-backend", "reference", "--json"});
  EXPECT_GT(other["kld_mean"], 0);
  EXPECT_LT(other["kld_mean"], 0.01);
  EXPECT_LE(other["kld_p99"], other["kld_max"]);
}

TEST_F(Ppl, AgainstARecord) {
  const std::string base = path("base.kld").string();
  const Words words = {"ppl", "-f", text(), "-c", "32", "--kl-base", base, "--json"};
  const Json recorded = json(words);
  EXPECT_FALSE(recorded.contains("kld_mean"));
  const Json compared = json(words);
  EXPECT_LT(compared["kld_mean"], 1e-6);
  EXPECT_EQ(compared["same_top"], 1);
  EXPECT_NEAR(compared["ppl_base"].get<double>(), recorded["ppl"].get<double>(), 1e-4);
  EXPECT_EQ(compared["base_tokens_cut_off"], 0);
  expect_refused(tiny({"ppl", "-f", text(), "-c", "16", "--kl-base", base}),
                 {base, "tokens of a window", "expected 16", "got 32"});
}

// The numbers of docs/correctness.md: the cpu backend as users run it, on the real model, beside
// what llama.cpp computed for the same windows.
TEST_F(Ppl, OfARealModelAndText) {
  const std::filesystem::path model = smollm2_path(),
                              texts = std::filesystem::path(PLUMB_SOURCE_DIR) /
                                      "../shared/fixtures/text";
#ifndef NDEBUG
  GTEST_SKIP() << "minutes under a sanitizer; the release build runs it";
#endif
  const auto text = texts / "ppl_1k.txt";
  for (const auto& needed : {model, text})
    if (!std::filesystem::exists(needed)) GTEST_SKIP() << "needs " << needed;
  const auto data = Json::parse(
      read_file(std::filesystem::path(PLUMB_TEST_DATA) / "correctness/perplexity.json"));
  const Json& expected = data["texts"]["ppl_1k.txt"];
  const Finished f =
      plumb({"ppl", "-m", model.string(), "-f", text.string(), "-c", "512", "--json"});
  ASSERT_EQ(f.code, 0) << f.err;
  const Json got = Json::parse(f.out);
  const double ppl = got["ppl"], exact = expected["exact"], theirs = expected["q4_1"];
  std::printf(
      "perplexity %.4f, %+.2f %% of llama.cpp's of exact weights, %+.2f %% of its of this "
      "file\n",
      ppl, 100 * (ppl / exact - 1), 100 * (ppl / theirs - 1));
  EXPECT_EQ(got["windows"], expected["windows"]);
  EXPECT_EQ(got["tokens"], expected["tokens"]);
  EXPECT_NEAR(ppl, exact, 0.005 * exact);
  EXPECT_LT(std::abs(ppl / exact - 1), std::abs(theirs / exact - 1)) << "nearer than llama.cpp";
}

TEST_F(Ppl, WhatCannotBeMeasured) {
  expect_refused(tiny({"ppl", "-p", "short", "-c", "64"}), {"at least one window of 64", "got"});
  expect_refused(tiny({"ppl"}), {"expected a text"});
  expect_refused(tiny({"ppl", "-f", text(), "--chunks", "0"}), {"--chunks", "got 0"});
  for (const char* window : {"1", "2"})
    for (const Words& base : {Words{}, Words{"--base-backend", "cpu"}}) {
      Words words{"ppl", "-f", text(), "-c", window, "--chunks", "2"};
      words.insert(words.end(), base.begin(), base.end());
      expect_refused(tiny(words), {"-c: expected", "at least 3 tokens", "got"});
    }
  expect_refused(tiny({"ppl", "-f", text(), "--base-ctk", "q9"}), {"--base-ctk", "q9"});
  expect_refused(tiny({"ppl", "-f", text(), "--base-cpu", "sse9"}), {"--base-", "--cpu", "sse9"});
  expect_refused(tiny({"ppl", "-f", text(), "--base-model", "/absent.gguf"}),
                 {"--base-", "/absent.gguf"});
  expect_refused(tiny({"ppl", "-f", text(), "--kl-base", "x", "--base-backend", "cpu"}),
                 {"one of --kl-base and --base-", "both"});
}

}  // namespace
}  // namespace plumb::test
