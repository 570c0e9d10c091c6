#pragma once
// llama-bench's output formats: Markdown, CSV, JSON, JSON lines and SQL.

#include <memory>
#include <string>
#include <string_view>

#include "measure/bench_record.h"

namespace plumb {

class BenchOutput {
 public:
  virtual ~BenchOutput() = default;
  // What to write before the first record, for each, and after the last.
  virtual std::string header() { return ""; }
  virtual std::string record(const BenchRecord& record) = 0;
  virtual std::string footer(const BuildInfo&) { return ""; }
};

// Error (naming the option): not one of md, csv, json, jsonl, sql. Markdown's columns for batches
// and cache types are there when `cases` differ in them or from llama-bench's defaults.
std::unique_ptr<BenchOutput> make_bench_output(std::string_view option, std::string_view format,
                                               const std::vector<BenchCase>& cases);

}  // namespace plumb
