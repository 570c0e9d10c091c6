// A plan as text and as JSON.

#include <fmt/format.h>

#include <map>

#include "base/text.h"
#include "plan/plan.h"

namespace plumb {
namespace {

using nlohmann::ordered_json;

// Rows and columns of the step's matrices side by side.
std::pair<int64_t, int64_t> shape_of(const Step& step) {
  std::pair<int64_t, int64_t> shape{0, 0};
  for (const Tensor* t : matrices_of(step)) shape = {shape.first + t->rows, t->columns};
  return shape;
}

// Weight bytes that one decoded token reads.
int64_t weights_per_token(const Step& step) {
  int64_t bytes = 0;
  for (const WeightUse& use : weight_uses(step)) bytes += use.bytes_per_token;
  return bytes;
}

struct Totals {
  int64_t weight_bytes = 0, reads = 0, writes = 0, ops = 0;
  std::map<Path, int64_t> by_path;
  std::map<std::string_view, int64_t> by_format;
};

Totals totals_of(const Plan& plan, int64_t n_tokens, int64_t depth) {
  Totals t;
  for (const Step& step : plan.steps) {
    for (const auto& [tensor, bytes, path] : weight_uses(step)) {
      t.weight_bytes += bytes;
      t.by_path[path] += bytes;
      t.by_format[format_info(tensor->format).name] += bytes;
    }
    t.reads = saturating_add(t.reads, step.cost.reads(n_tokens, depth));
    t.writes = saturating_add(t.writes, step.cost.writes(n_tokens));
    t.ops = saturating_add(t.ops, step.cost.ops(n_tokens, depth));
  }
  return t;
}

}  // namespace

std::string formats_of(const Step& step) {
  std::string out;
  for (const Tensor* t : matrices_of(step)) {
    const std::string name(format_info(t->format).name);
    if (out.find(name) == std::string::npos) out += (out.empty() ? "" : "+") + name;
  }
  return out;
}

int64_t weight_bytes_per_token(const Plan& plan) {
  return totals_of(plan, 1, 0).weight_bytes;
}

std::string to_text(const Plan& plan, int64_t n_tokens, int64_t depth) {
  std::string out =
      fmt::format("{:<24} {:<14} {:<10} {:>14} {:>12} {:>12} {:>12} {:>12}\n", "step", "path",
                  "format", "rows x columns", "weights B", "read B", "written B", "ops");
  for (const Step& step : plan.steps) {
    const auto [rows, columns] = shape_of(step);
    out += fmt::format("{:<24} {:<14} {:<10} {:>14} {:>12} {:>12} {:>12} {:>12}\n", step.name,
                       path_name(step.path), formats_of(step),
                       rows ? fmt::format("{} x {}", rows, columns) : "", weights_per_token(step),
                       step.cost.reads(n_tokens, depth), step.cost.writes(n_tokens),
                       step.cost.ops(n_tokens, depth));
  }
  const Totals t = totals_of(plan, n_tokens, depth);
  out += fmt::format("\n{} steps; {} token(s) at depth {}: read {}, written {}, {:.3f} Gop\n",
                     plan.steps.size(), n_tokens, depth, human_bytes(t.reads),
                     human_bytes(t.writes), static_cast<double>(t.ops) / 1e9);
  int64_t within_window = 0;
  for (const CacheLayer& layer : plan.cache.layers)
    if (layer.window > 0) within_window += plan.cache.bytes_per_position(layer);
  out += fmt::format(
      "one token: weights {}, cache {} B per position{}\n", human_bytes(t.weight_bytes),
      plan.cache.bytes_per_position(),
      within_window > 0 ? fmt::format(", {} of them only within a window", within_window) : "");
  if (!plan.states.layers.empty())
    out += fmt::format(
        "recurrent states: {} of a sequence, and {} for the tokens, at most {}, that they have yet "
        "to "
        "take in; with the {} earlier ones kept of each, {}\n",
        human_bytes(plan.states.bytes()), human_bytes(plan.states.chunk_bytes()), kDeltaChunk,
        plan.options.n_snapshots, human_bytes(state_bytes(plan)));
  for (const auto& [path, bytes] : t.by_path)
    out += fmt::format("  {:<14} {}\n", path_name(path), human_bytes(bytes));
  for (const auto& [format, bytes] : t.by_format)
    out += fmt::format("  {:<14} {}\n", format, human_bytes(bytes));
  return out;
}

ordered_json to_json(const Plan& plan, int64_t n_tokens, int64_t depth) {
  ordered_json steps = ordered_json::array();
  for (const Step& step : plan.steps) {
    const auto [rows, columns] = shape_of(step);
    steps.push_back({{"name", step.name},
                     {"kind", kind_name(step.args)},
                     {"layer", step.layer},
                     {"path", path_name(step.path)},
                     {"format", formats_of(step)},
                     {"rows", rows},
                     {"columns", columns},
                     {"weight_bytes", weights_per_token(step)},
                     {"read_bytes", step.cost.reads(n_tokens, depth)},
                     {"write_bytes", step.cost.writes(n_tokens)},
                     {"ops", step.cost.ops(n_tokens, depth)}});
  }
  const Totals t = totals_of(plan, n_tokens, depth);
  ordered_json by_path = ordered_json::object(), by_format = ordered_json::object();
  for (const auto& [path, bytes] : t.by_path) by_path[std::string(path_name(path))] = bytes;
  for (const auto& [format, bytes] : t.by_format) by_format[std::string(format)] = bytes;
  return {{"n_tokens", n_tokens},
          {"depth", depth},
          {"steps", std::move(steps)},
          {"per_token",
           {{"steps", plan.steps.size()},
            {"weight_bytes", t.weight_bytes},
            {"kv_bytes_per_position", plan.cache.bytes_per_position()},
            {"state_bytes", plan.states.bytes()},
            {"state_chunk_bytes", plan.states.chunk_bytes()},
            {"by_path", std::move(by_path)},
            {"by_format", std::move(by_format)}}}};
}

}  // namespace plumb
