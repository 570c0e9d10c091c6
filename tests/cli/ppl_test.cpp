// ppl: the whole command on a tiny model.

#include <cmath>

#include "base/file.h"
#include "cli.h"

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
  EXPECT_NEAR(compared["ppl_base"].get<double>(), recorded["ppl"].get<double>(), 1e-2);
  expect_refused(tiny({"ppl", "-f", text(), "-c", "16", "--kl-base", base}),
                 {base, "tokens of a window", "expected 16", "got 32"});
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
  expect_refused(tiny({"ppl", "-f", text(), "--kl-base", "x", "--base-backend", "cpu"}),
                 {"one of --kl-base and --base-", "both"});
}

}  // namespace
}  // namespace plumb::test
