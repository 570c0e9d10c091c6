// Timings of shapes for people and for programs.
#include <fmt/format.h>

#include <algorithm>

#include "measure/shapes.h"

namespace plumb {
namespace {

using nlohmann::ordered_json;

constexpr double kMicro = 1e3;  // nanoseconds

std::string range_text(const ShapeTime& time) {
  const auto [least, most] = std::ranges::minmax(time.ns);
  return fmt::format("{:.1f} to {:.1f}", least / kMicro, most / kMicro);
}

std::string percent(double share) {
  return share > 0 ? fmt::format("{:.0f} %", 100 * share) : "-";
}

// The limit that is nearer.
double share_of_limit(const ShapeResult& r, double ns) {
  return std::max(r.share_of_reads(ns), r.share_of_peak(ns));
}

std::string only_set(const ShapeResult& r) {
  const double ns = r.times.front().median_ns();
  return fmt::format("{:>10.1f} {:>20} {:>7.1f} {:>8} {:>8.1f} {:>7}", ns / kMicro,
                     range_text(r.times.front()), r.gbps(ns), percent(r.share_of_reads(ns)),
                     r.gmacs(ns), percent(r.share_of_peak(ns)));
}

std::string one_of_several(const ShapeResult& r, const ShapeTime& time) {
  const double ns = time.median_ns();
  return fmt::format("{:>10} {:>10.1f} {:>20} {:>8}", time.set, ns / kMicro, range_text(time),
                     percent(share_of_limit(r, ns)));
}

ordered_json known(double value) {
  return value > 0 ? ordered_json(value) : nullptr;
}

ordered_json to_json(const ShapeResult& r, const ShapeTime& time) {
  const double ns = time.median_ns();
  const auto [least, most] = std::ranges::minmax(time.ns);
  return {{"cpu", time.set},
          {"ns", ns},
          {"least_ns", least},
          {"most_ns", most},
          {"gbps", r.gbps(ns)},
          {"gmacs", r.gmacs(ns)},
          {"share_of_reads", known(r.share_of_reads(ns))},
          {"share_of_peak", known(r.share_of_peak(ns))},
          {"samples_ns", time.ns}};
}

}  // namespace

std::string shapes_header(size_t n_sets) {
  std::string out = fmt::format("{:<16} {:>14} {:<8} {:>5} {:>7} {:>6}", "matrix", "rows x columns",
                                "format", "count", "threads", "tokens");
  if (n_sets == 1)
    return out + fmt::format(" {:>10} {:>20} {:>7} {:>8} {:>8} {:>7}\n", "us", "range", "GB/s",
                             "of reads", "GMAC/s", "of peak");
  for (size_t i = 0; i < n_sets; ++i)
    out += fmt::format(" | {:>10} {:>10} {:>20} {:>8}", "cpu", "us", "range", "of limit");
  return out + "\n";
}

std::string to_row(const ShapeResult& r) {
  const Shape& s = *r.shape;
  std::string out = fmt::format("{:<16} {:>14} {:<8} {:>5} {:>7} {:>6}", s.role,
                                fmt::format("{} x {}", s.rows, s.columns),
                                format_info(s.format).name, s.tensors.size(), r.n_threads,  //
                                r.n_tokens);
  if (r.times.size() == 1) return out + " " + only_set(r) + "\n";
  for (const ShapeTime& time : r.times) out += " | " + one_of_several(r, time);
  return out + "\n";
}

std::string to_text(std::span<const ShapeTotal> totals) {
  if (totals.empty()) return "";
  std::string out =
      fmt::format("\nall matrices of a batch\n{:>7} {:>6} {:>10} {:>12} {:>12} {:>18}\n", "threads",
                  "tokens", "cpu", "us", "us per token", "cost over 1 token");
  for (const ShapeTotal& t : totals)
    out += fmt::format("{:>7} {:>6} {:>10} {:>12.1f} {:>12.1f} {:>18}\n", t.n_threads, t.n_tokens,
                       t.set, t.ns / kMicro, t.ns / kMicro / static_cast<double>(t.n_tokens),
                       t.cost > 0 ? fmt::format("{:.2f}", t.cost) : "-");
  return out;
}

ordered_json to_json(const ShapeResult& r) {
  ordered_json times = ordered_json::array();
  for (const ShapeTime& time : r.times) times.push_back(to_json(r, time));
  return {{"role", r.shape->role},
          {"rows", r.shape->rows},
          {"columns", r.shape->columns},
          {"format", format_info(r.shape->format).name},
          {"count", r.shape->tensors.size()},
          {"used_by_a_token", r.shape->n_used},
          {"bytes", r.shape->bytes()},
          {"tokens", r.n_tokens},
          {"threads", r.n_threads},
          {"set_matrices", r.n_matrices},
          {"set_bytes", r.n_matrices * r.shape->bytes()},
          {"limit_gbps", known(r.limits.read / 1e9)},
          {"limit_gmacs", known(r.limits.macs / 1e9)},
          {"limit_arithmetic", arithmetic_name(r.arithmetic)},
          {"times", std::move(times)}};
}

ordered_json to_json(const ShapeTotal& t) {
  return {{"tokens", t.n_tokens},
          {"threads", t.n_threads},
          {"cpu", t.set},
          {"ns", t.ns},
          {"cost_over_one_token", known(t.cost)}};
}

}  // namespace plumb
