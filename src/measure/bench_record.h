#pragma once
// A result of `bench` as a record: llama-bench's fields under its names and in its order, then
// plumb's own. Every output format prints these.

#include <nlohmann/json.hpp>
#include <string>

#include "measure/bench.h"

namespace plumb {

struct BuildInfo {
  std::string commit;
  int64_t number = 0;  // of commits until then
};

struct BenchRecord {
  std::string test;                    // "pp512"
  nlohmann::ordered_json standard;     // what llama-bench's CSV and SQL hold
  nlohmann::ordered_json samples;      // samples_ns, samples_ts
  nlohmann::ordered_json own;          // numbers, texts and null only
  nlohmann::ordered_json own_samples;  // arrays
};

BenchRecord make_record(const BenchCase& bench_case, const BenchResult& result,
                        const BuildInfo& build);

}  // namespace plumb
