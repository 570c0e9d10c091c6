#include "measure/probe.h"

#include <algorithm>
#include <ctime>

#include "base/error.h"
#include "base/machine.h"
#include "measure/bandwidth.h"
#include "measure/json_input.h"
#include "measure/machine_state.h"

namespace plumb {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr int64_t kMostThreads = 1 << 16;
constexpr size_t kMostRows = 64;
constexpr double kMostRate = 1e12;  // 10^9 of anything per second

std::vector<int> thread_counts(int most) {
  std::vector<int> counts;
  for (int n = 1; n < most; n *= 2) counts.push_back(n);
  counts.push_back(most);
  return counts;
}

constexpr int kMostTries = 3;

ProbeRow measure_once(const std::vector<PeakKernel>& kernels, int n) {
  const StateMeter meter;
  ProbeRow row{.threads = n, .read_gbps = measure_read_bandwidth(n) / 1e9};
  for (const PeakKernel& kernel : kernels) {
    const double gmacs = measure_peak(kernel, n) / 1e9;
    if (kernel.arithmetic == Arithmetic::dot8) row.dot8_gmacs = gmacs;
    if (kernel.arithmetic == Arithmetic::bf16) row.bf16_gmacs = gmacs;
    if (kernel.arithmetic == Arithmetic::f32) row.f32_gmacs = gmacs;
  }
  const MachineState state = meter.state();
  row.others_share = state.others_share;
  row.steal_share = state.steal_share;
  return row;
}

ProbeRow measure_row(const std::vector<PeakKernel>& kernels, int n) {
  ProbeRow row = measure_once(kernels, n);
  for (int i = 1; i < kMostTries && row.is_disturbed(); ++i)
    row = better_of(row, measure_once(kernels, n));
  return row;
}

double disturbance(const ProbeRow& row) {
  return row.others_share.value_or(0) + row.steal_share.value_or(0);
}

std::optional<double> share_field(const json& row, const char* name, std::string_view what) {
  if (!row.contains(name) || row[name].is_null()) return std::nullopt;  // kept by an older plumb
  return number_field(row, name, 0, 1, what);
}

ordered_json known(const std::optional<double>& value) {
  return value ? ordered_json(*value) : nullptr;
}

const json& array_field(const json& object, const char* name, size_t most, std::string_view what) {
  if (!object.is_object() || !object.contains(name) || !object[name].is_array())
    fail("{}: expected an array {}, got none", what, name);
  if (object[name].size() > most)
    fail("{}: {}: expected at most {} entries, got {}", what, name, most, object[name].size());
  return object[name];
}

ProbeRow parse_row(const json& j, std::string_view what) {
  const auto rate = [&](const char* name) { return number_field(j, name, 0, kMostRate, what); };
  ProbeRow row{.threads = static_cast<int>(integer_field(j, "threads", 1, kMostThreads, what)),
               .read_gbps = rate("read_gbps"),
               .dot8_gmacs = rate("dot8_gmacs"),
               .f32_gmacs = rate("f32_gmacs")};
  row.others_share = share_field(j, "other_processes_share", what);
  row.steal_share = share_field(j, "steal_share", what);
  if (!j.contains("bf16_gmacs") || !j["bf16_gmacs"].is_null()) row.bf16_gmacs = rate("bf16_gmacs");
  return row;
}

}  // namespace

bool ProbeRow::is_disturbed() const {
  return others_share.value_or(0) > kBusy || steal_share.value_or(0) > kBusy;
}

ProbeRow better_of(const ProbeRow& a, const ProbeRow& b) {
  ProbeRow best = disturbance(b) < disturbance(a) ? b : a;
  best.read_gbps = std::max(a.read_gbps, b.read_gbps);
  best.dot8_gmacs = std::max(a.dot8_gmacs, b.dot8_gmacs);
  best.f32_gmacs = std::max(a.f32_gmacs, b.f32_gmacs);
  best.bf16_gmacs = std::max(a.bf16_gmacs, b.bf16_gmacs);
  return best;
}

Probe measure_probe(const std::function<void(int threads)>& progress) {
  const std::vector<PeakKernel> kernels = peak_kernels();
  Probe probe{.processor = processor_name(),
              .processors = usable_processors(),
              .time = static_cast<int64_t>(std::time(nullptr)),
              .caches = processor_caches()};
  for (const PeakKernel& k : kernels)
    (k.arithmetic == Arithmetic::dot8   ? probe.dot8
     : k.arithmetic == Arithmetic::bf16 ? probe.bf16
                                        : probe.f32) = k.instruction;
  for (const int n : thread_counts(probe.processors)) {
    if (progress) progress(n);
    probe.rows.push_back(measure_row(kernels, n));
  }
  return probe;
}

std::string probe_file_name(const std::string& processor, int processors) {
  std::string name = "probe-";
  for (const char c : processor.substr(0, 100)) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (plain || !name.ends_with('-')) name += plain ? c : '-';
  }
  return fmt::format("{}{}{}.json", name, name.ends_with('-') ? "" : "-", processors);
}

ordered_json to_json(const Probe& p) {
  ordered_json caches = ordered_json::array(), rows = ordered_json::array();
  for (const Cache& c : p.caches)
    caches.push_back(
        {{"level", c.level}, {"type", c.type}, {"bytes", c.bytes}, {"shared_by", c.shared_by}});
  for (const ProbeRow& r : p.rows)
    rows.push_back({{"threads", r.threads},
                    {"read_gbps", r.read_gbps},
                    {"dot8_gmacs", r.dot8_gmacs},
                    {"bf16_gmacs", known(r.bf16_gmacs)},
                    {"f32_gmacs", r.f32_gmacs},
                    {"other_processes_share", known(r.others_share)},
                    {"steal_share", known(r.steal_share)},
                    {"disturbed", r.is_disturbed()}});
  return {{"processor", p.processor},
          {"processors", p.processors},
          {"time", p.time},
          {"caches", std::move(caches)},
          {"instructions",
           {{"dot8", p.dot8},
            {"bf16", p.bf16.empty() ? nullptr : ordered_json(p.bf16)},
            {"f32", p.f32}}},
          {"threads", std::move(rows)}};
}

Probe parse_probe(std::string_view text, std::string_view what) {
  const json j = parse_result_json(text, what);
  Probe p{.processor = text_field(j, "processor", what),
          .processors = static_cast<int>(integer_field(j, "processors", 1, kMostThreads, what)),
          .time = integer_field(j, "time", 0, int64_t{1} << 40, what)};
  for (const json& c : array_field(j, "caches", kMostRows, what))
    p.caches.push_back({static_cast<int>(integer_field(c, "level", 0, 9, what)),
                        text_field(c, "type", what),
                        integer_field(c, "bytes", 0, int64_t{1} << 40, what),
                        static_cast<int>(integer_field(c, "shared_by", 0, kMostThreads, what))});
  const json names = j.value("instructions", json::object());
  p.dot8 = text_field(names, "dot8", what);
  p.f32 = text_field(names, "f32", what);
  if (names.contains("bf16") && !names["bf16"].is_null()) p.bf16 = text_field(names, "bf16", what);
  for (const json& r : array_field(j, "threads", kMostRows, what))
    p.rows.push_back(parse_row(r, what));
  if (p.rows.empty()) fail("{}: threads: expected at least one row, got none", what);
  return p;
}

}  // namespace plumb
