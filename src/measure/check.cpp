#include "measure/check.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/error.h"

namespace plumb {
namespace {

// Nothing can be held against a model whose own numbers are none.
void require_finite(size_t step, const std::string& name, std::span<const float> values) {
  for (const float v : values)
    if (!std::isfinite(v))
      fail("step {} ({}): expected finite numbers, got {}", step, name,
           std::isnan(v) ? "NaN" : "an infinity");
}

Difference compare(size_t step, const std::string& name, std::span<const float> got,
                   std::span<const float> expected) {
  require_finite(step, name, expected);
  double largest = 0, difference = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double a = static_cast<double>(got[i]), b = static_cast<double>(expected[i]);
    if (std::isnan(a)) difference = INFINITY;
    largest = std::max(largest, std::abs(b));
    if (a != b) difference = std::max(difference, std::abs(a - b));
  }
  if (difference == 0) return {step, name, 0, 0};
  return {step, name, difference, largest > 0 ? difference / largest : INFINITY};
}

void note(CheckResult& result, const Difference& difference, double tolerance) {
  if (!result.first && !(difference.max_rel <= tolerance)) result.first = difference;
  if (!result.largest || difference.max_rel > result.largest->max_rel) result.largest = difference;
}

void copy(std::span<const float> from, std::span<float> to) {
  std::copy(from.begin(), from.end(), to.begin());
}

}  // namespace

CheckResult check(const Plan& plan, Executable& reference, Executable& backend,
                  std::span<const int32_t> ids, double tolerance) {
  CheckResult result{.steps_checked = static_cast<int64_t>(plan.steps.size())};
  std::vector<int32_t> positions(ids.size()), slots(ids.size(), 0);
  std::iota(positions.begin(), positions.end(), 0);
  std::vector<uint8_t> wants(ids.size(), 0);
  const auto run = [&](size_t begin, size_t end) {
    if (begin == end) return;
    const size_t n = end - begin;
    wants[end - 1] = 1;
    const Batch batch{ids.subspan(begin, n), std::span(positions).subspan(begin, n),
                      std::span(slots).subspan(begin, n), std::span(wants).subspan(begin, n)};
    reference.begin(batch);
    backend.begin(batch);
    for (size_t i = 0; i < plan.steps.size(); ++i) {
      const Step& step = plan.steps[i];
      for (const BufferId id : buffers_read(step)) copy(reference.buffer(id), backend.buffer(id));
      reference.run_step(i);
      backend.run_step(i);
      for (const BufferId id : buffers_written(step))
        note(result, compare(i, step.name, backend.buffer(id), reference.buffer(id)), tolerance);
      if (std::holds_alternative<Pick>(step.args) && backend.picked(0) != reference.picked(0))
        note(result, {i, step.name, INFINITY, INFINITY}, tolerance);
    }
    reference.end();
    backend.end();
  };
  run(0, ids.size() - 1);
  run(ids.size() - 1, ids.size());
  return result;
}

}  // namespace plumb
