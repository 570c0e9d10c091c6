#pragma once
// What `bench` runs: llama-bench's lists of values, and the tests that all their combinations make.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/format.h"

namespace plumb {

// "512", "1,2,4", "1-8", "0-1024+256", "64-512*2" and lists of those, as llama-bench writes them.
// Error (naming the option): anything else, values below min or above max, too many of them.
std::vector<int64_t> parse_ranges(std::string_view option, std::string_view list, int64_t min,
                                  int64_t max);
std::vector<std::string> split_list(std::string_view list);  // at commas

// Tests with the same set-up share a loaded model.
struct BenchSetup {
  std::string model;
  int64_t n_batch, n_ubatch;
  Format type_k, type_v;
  int n_threads;
  bool operator==(const BenchSetup&) const = default;
};

struct BenchTest {
  int64_t n_prompt, n_gen;  // tokens read together, then tokens one at a time
  int64_t n_depth;          // positions in the cache before
  int64_t n_positions() const { return n_prompt + n_gen + n_depth; }
  bool operator==(const BenchTest&) const = default;
};
std::string test_name(const BenchTest& test);  // "pp512", "tg128 @ d2048", "pp512+tg128"

struct BenchCase {
  BenchSetup setup;
  BenchTest test;
};

// Empty lists mean llama-bench's defaults: pp512 and tg128 at depth 0.
struct BenchLists {
  std::vector<std::string> models;
  std::vector<int64_t> n_prompt, n_gen, n_depth, n_batch, n_ubatch, n_threads;
  std::vector<std::pair<int64_t, int64_t>> prompt_and_gen;
  std::vector<Format> type_k, type_v;
};

// All combinations in llama-bench's order. Error: none, or far too many.
std::vector<BenchCase> bench_cases(BenchLists lists, int default_threads);

}  // namespace plumb
