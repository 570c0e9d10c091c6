#pragma once
// Results of llama-bench and of `plumb bench`, read from their JSON or JSON lines: untrusted text.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "measure/bench_cases.h"

namespace plumb {

// Name and value, each on one line, in an order of their own.
using Settings = std::vector<std::pair<std::string, std::string>>;

// What a result says of the machine while it was taken: plumb's fields, llama-bench has none.
struct Surroundings {
  std::vector<double> read_limits, macs_limits;  // each time they were measured
  std::optional<double> others;                  // share of the processors that others took
  bool known() const { return others || !read_limits.empty() || !macs_limits.empty(); }
};

struct TestRates {
  BenchTest test;
  std::string manner;  // what makes other work of the same tokens: "", "all logits", "sampling"
  Settings settings;   // what else tells results apart: model, threads, types, instruction set, ...
  std::vector<double> rates;  // tokens per second, one per repetition; at least one
  Surroundings surroundings;

  std::string name() const;  // "tg128", "pp512, all logits"
  bool is_same_test(const TestRates& other) const {
    return test == other.test && manner == other.manner;
  }
};

// What both have and is not the same: "n_threads 1 -> 2".
std::vector<std::string> differences(const TestRates& a, const TestRates& b);

// JSON that begins with its line: records ("{...}") or arrays of them ("[{...}, ...]"), however
// many lines they take; whatever else programs print is ignored. Repetitions of the same test with
// the same settings are put together. Error (naming `what` and the record): no record, a field that
// is missing or no sensible number.
std::vector<TestRates> parse_results(std::string_view text, std::string_view what);

}  // namespace plumb
