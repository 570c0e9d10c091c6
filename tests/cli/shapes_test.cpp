// shapes: what it prints and what it refuses.

#include <gmock/gmock.h>

#include "cli.h"
#include "measure/device_lock.h"

namespace plumb::test {
namespace {

using ::testing::HasSubstr;
using Shapes = Cli;

TEST_F(Shapes, EveryMatrixAsJson) {
  const Json j = json({"shapes", "--set", "0", "--iterations", "2", "--warmup", "0", "-t", "1,2",
                       "--tokens", "1-3", "--no-limit", "--json"});
  ASSERT_EQ(j["shapes"].size(), 8u * 2 * 3);
  for (const Json& s : j["shapes"]) {
    EXPECT_GT(s["times"][0]["ns"], 0);
    EXPECT_EQ(s["times"][0]["samples_ns"].size(), 2u);
    EXPECT_TRUE(s["limit_gbps"].is_null());
    EXPECT_EQ(s["set_matrices"], 1);
  }
  ASSERT_EQ(j["totals"].size(), 2u * 3);
  EXPECT_EQ(j["totals"][0]["cost_over_one_token"], 1);
  EXPECT_EQ(j["totals"][5]["tokens"], 3);
  EXPECT_EQ(j["totals"][5]["threads"], 2);
}

TEST_F(Shapes, ATableWithSharesOfTheLimits) {
  const Finished f = tiny({"shapes", "--set", "1", "--iterations", "1", "--case", "ffn_down"});
  ASSERT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(std::count(f.out.begin(), f.out.end(), '\n'), 2) << f.out;
  EXPECT_THAT(f.out, HasSubstr("ffn_down"));
  EXPECT_THAT(f.out, HasSubstr("64 x 128"));
  EXPECT_THAT(f.out, HasSubstr(" %"));
  const Finished all = tiny({"shapes", "--set", "0", "--iterations", "1", "--no-limit"});
  EXPECT_THAT(all.out, HasSubstr("all matrices of a batch"));
}

TEST_F(Shapes, InstructionSetsSideBySide) {
  const Json j = json({"shapes", "--set", "0", "--iterations", "1", "--case", "attn_q", "--cpu",
                       "scalar,scalar", "--no-limit", "--json"});
  EXPECT_EQ(j["shapes"][0]["times"].size(), 2u);
  EXPECT_EQ(j["shapes"][0]["times"][1]["cpu"], "scalar");
}

TEST_F(Shapes, WhatCannotBeTimed) {
  expect_refused(tiny({"shapes", "--case", "experts"}), {"--case", "attn_q 64x64 F32", "experts"});
  expect_refused(tiny({"shapes", "--case", "["}), {"--case", "regular expression"});
  expect_refused(tiny({"shapes", "--tokens", "0"}), {"--tokens"});
  expect_refused(tiny({"shapes", "--tokens", "1,x"}), {"--tokens", "ranges"});
  expect_refused(tiny({"shapes", "--cpu", "scalar,sse9"}), {"--cpu", "sse9"});
  expect_refused(tiny({"shapes", "--iterations", "0"}), {"--iterations"});
  expect_refused(plumb({"shapes", "-m", "/absent.gguf"}), {"/absent.gguf"});
  const DeviceLock mine("cpu", "somebody's benchmark", {}, folder_.path());
  expect_refused(tiny({"shapes"}), {"somebody's benchmark", "--wait"});
}

}  // namespace
}  // namespace plumb::test
