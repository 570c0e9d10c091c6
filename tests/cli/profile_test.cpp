#include "base/file.h"
#include "base/machine.h"
#include "cli.h"

namespace plumb::test {
namespace {

using Profile = Cli;

TEST_F(Profile, SaysWhereTheTimeGoes) {
  const std::string trace = path("trace.json").string();
  const Json p = json({"profile", "-r", "3", "-d", "20", "-t", "2", "--trace", trace, "--json"});
  EXPECT_GE(p["threads"], 1) << "beside other work one of two may be left out";
  EXPECT_LE(p["threads"], std::min(2, usable_processors()));
  EXPECT_EQ(p["depth"], 20);
  EXPECT_EQ(p["steps"].size(), json({"plan", "--json"})["steps"].size());
  EXPECT_GT(p["by_path"][0]["ns"], 0);
  EXPECT_GT(p["by_path"][0]["share_of_limit"], 0);
  EXPECT_EQ(p["limits_samples"].size(), 2u);
  EXPECT_NEAR(p["steps_ns"].get<double>() + p["unaccounted_ns"].get<double>(),
              p["batch_ns"].get<double>(), 1);
  EXPECT_FALSE(Json::parse(read_file(trace))["traceEvents"].empty());

  const Json prompt = json({"profile", "-p", "8", "-r", "2", "--json"});
  size_t bound = 0;
  for (const Json& step : prompt["steps"]) {
    if (step["limit"].is_null()) continue;  // neither weights nor arithmetic
    EXPECT_GT(step["share_of_limit"], 0) << step;
    EXPECT_TRUE(step["limit"] == "reads" || step["limit"] == "f32") << step;
    ++bound;
  }

  EXPECT_GT(bound, prompt["steps"].size() / 2);

  const Finished text = tiny({"profile", "-p", "8", "-r", "2", "--steps"});
  EXPECT_EQ(text.code, 0) << text.err;
  for (const char* word : {"8 tokens at depth 0", "watching", "gate_up", "dense", "layer 0",
                           "unaccounted", "share of the limit", "GB/s reads", "before and after"})
    EXPECT_NE(text.out.find(word), std::string::npos) << word << text.out;
}

TEST_F(Profile, WhatCannotBeProfiled) {
  expect_refused(tiny({"profile", "-d", "100000"}), {"expected depth and batch within", "100000"});
  expect_refused(tiny({"profile", "-r", "0"}), {"-r", "0"});
  expect_refused(tiny({"profile", "--trace", "/nowhere/x", "-r", "1"}), {"/nowhere/x"});
}

}  // namespace
}  // namespace plumb::test
