#include "measure/results.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "measure/json_input.h"

namespace plumb {
namespace {

using nlohmann::json;

constexpr size_t kMostRecords = 2048;
constexpr size_t kMostSamples = 1 << 20;
constexpr size_t kLongestSetting = 200;
constexpr const char* kBlanks = " \t\r\n";
constexpr int64_t kMostTokens = int64_t{1} << 32;
constexpr double kLeastRate = 1e-9, kMostRate = 1e15;

// Whatever of them a record has: other programs write other sets of fields.
constexpr const char* kSettings[] = {"model_filename",
                                     "model_type",
                                     "model_size",
                                     "cpu_info",
                                     "gpu_info",
                                     "backends",
                                     "engine",
                                     "plumb_backend",
                                     "instruction_set",
                                     "n_threads",
                                     "n_batch",
                                     "n_ubatch",
                                     "cpu_mask",
                                     "cpu_strict",
                                     "poll",
                                     "type_k",
                                     "type_v",
                                     "n_gpu_layers",
                                     "n_cpu_moe",
                                     "split_mode",
                                     "main_gpu",
                                     "no_kv_offload",
                                     "flash_attn",
                                     "devices",
                                     "tensor_split",
                                     "tensor_buft_overrides",
                                     "use_mmap",
                                     "load_mode",
                                     "lazy_mode",
                                     "no_op_offload",
                                     "no_host",
                                     "no_repack",
                                     "warm_up"};

constexpr std::pair<const char*, const char*> kManners[] = {
    {"all_logits", "all logits"}, {"with_sampling", "sampling"}, {"embeddings", "embeddings"}};

// On one line, whatever is in it.
std::string setting_text(std::string_view name, const json& value) {
  std::string text = value.is_string() ? value.get<std::string>()
                                       : value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (name == "model_filename") text = text.substr(text.rfind('/') + 1);
  const bool plain = std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  return plain && text.size() <= kLongestSetting ? text : plumb::quoted(text, kLongestSetting);
}

Settings settings_of(const json& record) {
  Settings settings;
  for (const char* name : kSettings) {
    const auto value = record.find(name);
    if (value != record.end() && !value->is_structured() && !value->is_null())
      settings.emplace_back(name, setting_text(name, *value));
  }
  return settings;
}

std::string manner_of(const json& record) {
  std::string manner;
  for (const auto& [field, name] : kManners) {
    const auto value = record.find(field);
    if (value == record.end() || !value->is_boolean() || !value->get<bool>()) continue;
    manner += (manner.empty() ? "" : ", ") + std::string(name);
  }
  return manner;
}

// What says how sure a result is may be missing (or null), not nonsense.
std::vector<double> limits_of(const json& record, const char* name, std::string_view what) {
  const auto values = record.find(name);
  if (values == record.end() || values->is_null()) return {};
  std::vector<double> limits;
  const bool is_list = values->is_array() && values->size() <= kMostSamples;
  for (const json& value : is_list ? *values : json::array()) {
    const double limit = value.is_number() ? value.get<double>() : 0;
    if (limit > 0 && limit <= kMostRate) limits.push_back(limit);
  }
  if (!is_list || limits.size() != values->size())
    fail("{}: {}: expected an array of positive numbers, got {}", what, name,
         plumb::quoted(values->dump(-1, ' ', true, json::error_handler_t::replace), 40));
  return limits;
}

Surroundings surroundings_of(const json& record, std::string_view what) {
  Surroundings s{.read_limits = limits_of(record, "limit_gbps_samples", what),
                 .macs_limits = limits_of(record, "limit_gmacs_samples", what),
                 .others = {}};
  const auto others = record.find("other_processes_share");
  if (others == record.end() || others->is_null()) return s;
  s.others = others->is_number() ? others->get<double>() : -1;
  if (!(*s.others >= 0 && *s.others <= 1.1))
    fail("{}: other_processes_share: expected 0 to 1, got {}", what,
         plumb::quoted(others->dump(-1, ' ', true, json::error_handler_t::replace), 40));
  return s;
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
  out.manner = manner_of(record);
  out.settings = settings_of(record);
  out.rates = rates_of(record, out.test, what);
  out.surroundings = surroundings_of(record, what);
  return out;
}

// Programs say other things in JSON as well.
bool is_chatter(const json& value) {
  return value.is_object() && !value.contains("n_prompt") && !value.contains("samples_ns") &&
         !value.contains("samples_ts");
}

void append(const std::vector<double>& more, std::vector<double>& values) {
  values.insert(values.end(), more.begin(), more.end());
}

void add(TestRates record, std::vector<TestRates>& all) {
  const auto same = std::ranges::find_if(all, [&](const TestRates& r) {
    return r.is_same_test(record) && r.settings == record.settings;
  });
  if (same == all.end()) return all.push_back(std::move(record));
  append(record.rates, same->rates);
  append(record.surroundings.read_limits, same->surroundings.read_limits);
  append(record.surroundings.macs_limits, same->surroundings.macs_limits);
  auto& others = same->surroundings.others;
  if (record.surroundings.others)
    others = std::max(others.value_or(0), *record.surroundings.others);
}

// Where the JSON value at `begin` ends, by its brackets and texts; npos: nowhere.
size_t end_of_value(std::string_view text, size_t begin) {
  int64_t depth = 0;
  bool in_text = false;
  for (size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (in_text) {
      i += c == '\\';
      in_text = c != '"';
    } else if (c == '"') {
      in_text = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return i + 1;
    }
  }
  return text.npos;
}

// An object, or an array that is empty or begins with one: programs write "[info]" too.
bool begins_value(std::string_view text, size_t at) {
  if (text[at] != '[') return text[at] == '{';
  const size_t next = text.find_first_not_of(kBlanks, at + 1);
  return next != text.npos && (text[next] == '{' || text[next] == ']');
}

// Those that begin with their line. One that does not end takes the rest, to be refused.
std::vector<std::string_view> json_values(std::string_view text, std::string_view what) {
  std::vector<std::string_view> values;
  for (size_t line = 0; line < text.size();) {
    size_t line_end = std::min(text.find('\n', line), text.size());
    const size_t begin = std::min(text.find_first_not_of(" \t\r", line), line_end);
    if (begin < line_end && begins_value(text, begin)) {
      const size_t end = std::min(end_of_value(text, begin), text.size());
      values.push_back(text.substr(begin, end - begin));
      line_end = std::min(text.find('\n', end), text.size());
    }
    if (values.size() > kMostRecords)
      fail("{}: expected at most {} records, got more", what, kMostRecords);
    line = line_end + 1;
  }
  return values;
}

}  // namespace

std::string TestRates::name() const {
  return manner.empty() ? test_name(test) : fmt::format("{}, {}", test_name(test), manner);
}

std::vector<std::string> differences(const TestRates& a, const TestRates& b) {
  std::vector<std::string> out;
  auto of_b = b.settings.begin();
  for (const auto& [name, value] : a.settings) {  // both are in the order of kSettings
    const auto same = std::ranges::find(of_b, b.settings.end(), name, &Settings::value_type::first);
    if (same == b.settings.end()) continue;
    of_b = same;
    if (value != same->second) out.push_back(fmt::format("{} {} -> {}", name, value, same->second));
  }
  return out;
}

std::vector<TestRates> parse_results(std::string_view text, std::string_view what) {
  std::vector<TestRates> all;
  size_t n_records = 0;
  const auto take = [&](const json& record) {
    const std::string where = fmt::format("{}: record {}", what, ++n_records);
    if (n_records > kMostRecords)
      fail("{}: expected at most {} records, got more", what, kMostRecords);
    add(parse_record(record, where), all);
  };
  for (const std::string_view value : json_values(text, what)) {
    const json parsed = parse_result_json(value, what);
    if (!parsed.is_array() && !is_chatter(parsed)) take(parsed);
    if (parsed.is_array())
      for (const json& record : parsed) take(record);
  }
  const size_t first = text.find_first_not_of(kBlanks);
  if (all.empty())
    fail("{}: expected llama-bench's JSON or JSON lines (-o json), got {}", what,
         first == text.npos ? "nothing" : plumb::quoted(text.substr(first), 40));
  return all;
}

}  // namespace plumb
