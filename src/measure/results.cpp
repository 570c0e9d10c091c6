#include "measure/results.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "measure/json_input.h"

namespace plumb {
namespace {

using nlohmann::json;

constexpr size_t kMostRecords = 4096;
constexpr size_t kMostSamples = 1 << 20;
constexpr int64_t kMostTokens = int64_t{1} << 32;
constexpr double kLeastRate = 1e-9, kMostRate = 1e15;

// Whatever of it a record has: other programs write other sets of fields.
std::string setup_of(const json& record) {
  std::string setup;
  for (const char* name : {"model_filename", "n_threads", "n_batch", "n_ubatch", "type_k", "type_v",
                           "n_gpu_layers", "flash_attn"}) {
    const auto value = record.find(name);
    if (value == record.end() || value->is_structured()) continue;
    std::string text = value->is_string()
                           ? value->get<std::string>()
                           : value->dump(-1, ' ', true, json::error_handler_t::replace);
    if (name == std::string_view("model_filename")) text = text.substr(text.rfind('/') + 1);
    setup += fmt::format("{}{}={}", setup.empty() ? "" : " ", name, text);
  }
  return setup;
}

const json& samples_field(const json& record, const char* name, std::string_view what) {
  const json& samples = record[name];
  if (!samples.is_array() || samples.empty() || samples.size() > kMostSamples)
    fail("{}: {}: expected an array of 1 to {} numbers, got {}", what, name, kMostSamples,
         samples.is_array() ? fmt::format("{}", samples.size()) : samples.type_name());
  return samples;
}

double checked_rate(const json& value, const char* name, double unit, std::string_view what) {
  const double number = value.is_number() ? value.get<double>() : 0;
  const double rate = unit > 0 ? unit / number : number;
  if (number > 0 && rate >= kLeastRate && rate <= kMostRate) return rate;
  fail("{}: {}: expected positive numbers, got {}", what, name,
       plumb::quoted(value.dump(-1, ' ', true, json::error_handler_t::replace)));
}

// samples_ns is exact; samples_ts is there in everything that llama-bench ever wrote.
std::vector<double> rates_of(const json& record, const BenchTest& test, std::string_view what) {
  const bool times = record.contains("samples_ns");
  const char* name = times ? "samples_ns" : "samples_ts";
  if (!record.contains(name))
    fail("{}: expected the field samples_ns or samples_ts (-o json or jsonl writes them), got none",
         what);
  const double unit = times ? 1e9 * static_cast<double>(test.n_prompt + test.n_gen) : 0;
  std::vector<double> rates;
  for (const json& value : samples_field(record, name, what))
    rates.push_back(checked_rate(value, name, unit, what));
  return rates;
}

TestRates parse_record(const json& record, std::string_view what) {
  const auto count = [&](const char* name) {
    return integer_field(record, name, 0, kMostTokens, what);
  };
  TestRates out;
  out.test = {count("n_prompt"), count("n_gen"), record.contains("n_depth") ? count("n_depth") : 0};
  if (out.test.n_prompt + out.test.n_gen == 0)
    fail("{}: n_prompt, n_gen: expected one above 0, got 0 and 0", what);
  out.setup = setup_of(record);
  out.rates = rates_of(record, out.test, what);
  return out;
}

void add(TestRates record, std::vector<TestRates>& all) {
  const auto same = std::ranges::find_if(
      all, [&](const TestRates& r) { return r.test == record.test && r.setup == record.setup; });
  if (same == all.end()) return all.push_back(std::move(record));
  same->rates.insert(same->rates.end(), record.rates.begin(), record.rates.end());
}

// Positions of records: the array's text, or each line's.
std::vector<std::string_view> record_lines(std::string_view text, std::string_view what) {
  std::vector<std::string_view> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (text[begin] == '{') lines.push_back(text.substr(begin, end - begin));
    if (lines.size() > kMostRecords)
      fail("{}: expected at most {} records, got more", what, kMostRecords);
    begin = end + 1;
  }
  return lines;
}

}  // namespace

std::vector<TestRates> parse_results(std::string_view text, std::string_view what) {
  std::vector<TestRates> all;
  const size_t first = text.find_first_not_of(" \t\r\n");
  const auto take = [&](const json& record, size_t i) {
    const std::string where = fmt::format("{}: record {}", what, i + 1);
    add(parse_record(record, where), all);
  };
  if (first != text.npos && text[first] == '[') {
    const json records = parse_result_json(text, what);
    if (records.size() > kMostRecords)
      fail("{}: expected at most {} records, got {}", what, kMostRecords, records.size());
    for (size_t i = 0; i < records.size(); ++i) take(records[i], i);
  } else {
    const auto lines = record_lines(text, what);
    for (size_t i = 0; i < lines.size(); ++i) take(parse_result_json(lines[i], what), i);
  }
  if (all.empty())
    fail("{}: expected llama-bench's JSON or JSON lines (-o json), got {}", what,
         first == text.npos ? "nothing" : plumb::quoted(text.substr(first), 40));
  return all;
}

}  // namespace plumb
