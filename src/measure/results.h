#pragma once
// Results of llama-bench and of `plumb bench`, read from their JSON or JSON lines: untrusted text.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "measure/bench_cases.h"

namespace plumb {

struct TestRates {
  BenchTest test;
  std::string setup;          // what else tells tests of one file apart: model, threads, types, ...
  std::vector<double> rates;  // tokens per second, one per repetition; at least one
};

// An array of records, or a record on each line that begins with '{' (others are ignored: programs
// chatter). Repetitions of the same test and set-up are put together. Error (naming `what` and the
// record): no record, a field that is missing or no sensible number.
std::vector<TestRates> parse_results(std::string_view text, std::string_view what);

}  // namespace plumb
