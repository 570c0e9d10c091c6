#include "measure/bench_cases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace plumb {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<int64_t> ranges(const char* list) {
  return parse_ranges("-n", list, 0, 1000);
}

TEST(BenchCases, NumbersListsAndRanges) {
  EXPECT_THAT(ranges("512"), ElementsAre(512));
  EXPECT_THAT(ranges("1,2,4"), ElementsAre(1, 2, 4));
  EXPECT_THAT(ranges("1-4"), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(ranges("0-10+4,7"), ElementsAre(0, 4, 8, 7));
  EXPECT_THAT(ranges("16-100*2"), ElementsAre(16, 32, 64));
  EXPECT_THAT(ranges("5-5"), ElementsAre(5));
  EXPECT_THAT(ranges("1-9*9223372036854775807"), ElementsAre(1));
  EXPECT_THAT(ranges("1-9+9223372036854775807"), ElementsAre(1));
}

TEST(BenchCases, WhatIsNoRangeIsRefused) {
  for (const char* list : {"", ",", "1,", "x", "-1", "1-", "4-1", "1-8*1", "0-8*2", "1-8+0", "1-8+",
                           "1 2", "1.5", "1--2", "99999999999999999999"}) {
    try {
      ranges(list);
      ADD_FAILURE() << list;
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr("-n: expected")) << list;
    }
  }
  EXPECT_THROW(ranges("1001"), Error);
  EXPECT_THROW(parse_ranges("-n", "1-1000000", 0, 1000000), Error) << "too many";
}

std::vector<std::string> names(const std::vector<BenchCase>& cases) {
  std::vector<std::string> out;
  for (const BenchCase& c : cases)
    out.push_back(test_name(c.test) + " t" + std::to_string(c.setup.n_threads));
  return out;
}

// The order in which llama-bench prints its rows.
TEST(BenchCases, OrderAndDefaults) {
  EXPECT_THAT(names(bench_cases({.models = {"m"}}, 3)), ElementsAre("pp512 t3", "tg128 t3"));
  EXPECT_THAT(names(bench_cases({.models = {"m"},
                                 .n_prompt = {0, 64},
                                 .n_gen = {16},
                                 .n_depth = {0, 8},
                                 .n_threads = {1, 2},
                                 .prompt_and_gen = {{4, 5}}},
                                3)),
              ElementsAre("pp64 t1", "tg16 t1", "pp4+tg5 t1", "pp64 @ d8 t1", "tg16 @ d8 t1",
                          "pp4+tg5 @ d8 t1", "pp64 t2", "tg16 t2", "pp4+tg5 t2", "pp64 @ d8 t2",
                          "tg16 @ d8 t2", "pp4+tg5 @ d8 t2"));
}

TEST(BenchCases, NoneAndTooMany) {
  EXPECT_THROW(bench_cases({.models = {"m"}, .n_prompt = {0}, .n_gen = {0}}, 1), Error);
  const std::vector<int64_t> many(100, 1);
  EXPECT_THROW(bench_cases({.models = {"m"}, .n_prompt = many, .n_depth = many}, 1), Error);
}

}  // namespace
}  // namespace plumb
