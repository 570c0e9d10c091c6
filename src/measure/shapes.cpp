#include "measure/shapes.h"

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "measure/statistics.h"

namespace plumb {
namespace {

constexpr size_t kLongestPattern = 200;

// "blk.3.ffn_down.weight" -> "ffn_down"
std::string role_of(const Step& step, const Tensor& tensor) {
  if (std::holds_alternative<Head>(step.args)) return "output";  // tied heads have another name
  std::string_view name = tensor.name;
  if (name.starts_with("blk.")) {
    const size_t dot = name.find('.', 4);
    if (dot != std::string_view::npos) name.remove_prefix(dot + 1);
  }
  if (name.ends_with(".weight")) name.remove_suffix(7);
  return std::string(name);
}

// How many experts a tensor stacks, and how many of them a token uses: 1 and 1 where it is a
// matrix.
struct Stacked {
  int64_t n_experts = 1, n_used = 1;
};
Stacked stacked(const Step& step, const Tensor& tensor) {
  if (const auto* s = std::get_if<ExpertGateUp>(&step.args)) return {s->n_experts, s->n_used};
  if (const auto* s = std::get_if<ExpertDownAdd>(&step.args))
    if (tensor.name == s->down.weight.name) return {s->n_experts, s->n_used};
  return {};
}

void add_shape(std::vector<Shape>& shapes, const std::string& role, const Tensor& t,
               const Stacked& all) {
  const int64_t rows = t.rows / all.n_experts;
  if (rows == 0) return;
  auto shape = std::ranges::find_if(shapes, [&](const Shape& s) {
    return s.role == role && s.rows == rows && s.columns == t.columns && s.format == t.format;
  });
  if (shape == shapes.end()) shape = shapes.insert(shape, {role, rows, t.columns, t.format, {}});
  for (int64_t e = 0; e < all.n_experts; ++e)
    shape->tensors.push_back(all.n_experts == 1 ? t : part_of(t, e * rows, rows));
  shape->n_used += all.n_used;
}

std::string names_of(const std::vector<Shape>& shapes) {
  std::string names;
  for (const Shape& s : shapes) names += (names.empty() ? "" : ", ") + s.name();
  return names;
}

std::regex pattern_of(const std::string& word) {
  if (word.size() > kLongestPattern)
    fail("--case: expected at most {} characters, got {}", kLongestPattern, word.size());
  try {
    return std::regex(word);
  } catch (const std::regex_error&) {
    fail("--case: expected a name or a regular expression, got {}", plumb::quoted(word));
  }
}

std::set<std::string> names_meant(const std::vector<Shape>& shapes, const std::string& word) {
  std::set<std::string> names;
  for (const Shape& s : shapes)
    if (s.role == word || s.name() == word) names.insert(s.name());
  if (!names.empty()) return names;
  const std::regex pattern = pattern_of(word);
  for (const Shape& s : shapes)
    if (std::regex_search(s.name(), pattern)) names.insert(s.name());
  if (names.empty())
    fail("--case: expected one of {} (or a regular expression found in one), got {}",
         names_of(shapes), plumb::quoted(word));
  return names;
}

}  // namespace

std::string Shape::name() const {
  return fmt::format("{} {}x{} {}", role, rows, columns, format_info(format).name);
}

double Shape::macs(int64_t n_tokens) const {
  return static_cast<double>(rows) * static_cast<double>(columns) * static_cast<double>(n_tokens);
}

std::vector<Shape> shapes_of(const Plan& plan) {
  std::vector<Shape> shapes;
  std::set<std::string_view> seen;
  for (const Step& step : plan.steps) {
    for (const Tensor* t : matrices_of(step)) {
      if (t == table_of(step)) continue;                           // a row is looked up
      if (std::holds_alternative<DeltaRule>(step.args)) continue;  // a convolution
      if (seen.insert(t->name).second) add_shape(shapes, role_of(step, *t), *t, stacked(step, *t));
    }
  }
  return shapes;
}

std::vector<Shape> select_shapes(std::vector<Shape> shapes, std::span<const std::string> words) {
  if (words.empty()) return shapes;
  std::set<std::string> meant;
  for (const std::string& word : words) meant.merge(names_meant(shapes, word));
  std::erase_if(shapes, [&](const Shape& s) { return !meant.contains(s.name()); });
  return shapes;
}

double ShapeTime::median_ns() const {
  return median(ns);
}

double ShapeResult::share_of_reads(double ns) const {
  return limits.read > 0 ? gbps(ns) * 1e9 / limits.read : 0;
}

double ShapeResult::share_of_peak(double ns) const {
  return limits.macs > 0 ? gmacs(ns) * 1e9 / limits.macs : 0;
}

std::vector<ShapeTotal> totals_of(std::span<const ShapeResult> results) {
  std::vector<ShapeTotal> totals;
  const auto total = [&](int64_t n_tokens, int n_threads, const std::string& set) {
    return std::ranges::find_if(totals, [&](const ShapeTotal& t) {
      return t.n_tokens == n_tokens && t.n_threads == n_threads && t.set == set;
    });
  };
  const bool has_experts = std::ranges::any_of(results, [](const ShapeResult& r) {
    return r.shape->n_used < static_cast<int64_t>(r.shape->tensors.size());
  });
  for (const ShapeResult& r : results)
    for (const ShapeTime& time : r.times) {
      if (has_experts && r.n_tokens > 1) continue;
      auto at = total(r.n_tokens, r.n_threads, time.set);
      if (at == totals.end()) at = totals.insert(at, {r.n_tokens, r.n_threads, time.set, 0, 0});
      at->ns += static_cast<double>(r.shape->n_used) * time.median_ns();
    }
  for (ShapeTotal& t : totals) {
    const auto one = total(1, t.n_threads, t.set);
    if (one != totals.end()) t.cost = t.ns / one->ns;
  }
  return totals;
}

}  // namespace plumb
