#include "measure/check.h"

#include <algorithm>
#include <cmath>
#include <limits>
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

// A change that is smaller than this share of the values it is added to is measured against them:
// f32 keeps no more of it.
constexpr double kSmallestChange = 0.01;

// One token's row of an output: got, expected and what it held before (zeros where the step does
// not add).
struct Row {
  std::span<const float> got, expected, before;
};

// Largest values and sums of squares.
struct Sizes {
  double max = 0, squares = 0;
  void add(double v) {
    max = std::max(max, std::abs(v));
    squares += v * v;
  }
};

double ratio(double error, double size) {
  if (error == 0) return 0;
  return size > 0 ? error / size : INFINITY;
}

// As max_abs, max_rel and rms_rel of a Difference.
void compare(const Row& row, Difference& worst) {
  Sizes error, change, total;
  for (size_t i = 0; i < row.expected.size(); ++i) {
    const double a = static_cast<double>(row.got[i]), b = static_cast<double>(row.expected[i]);
    error.add(std::isnan(a) ? INFINITY : a - b);
    change.add(b - static_cast<double>(row.before[i]));
    total.add(b);
  }
  worst.max_abs = std::max(worst.max_abs, error.max);
  worst.max_rel =
      std::max(worst.max_rel, ratio(error.max, std::max(change.max, kSmallestChange * total.max)));
  worst.rms_rel = std::max(
      worst.rms_rel, ratio(std::sqrt(error.squares),
                           std::sqrt(std::max(change.squares,
                                              kSmallestChange * kSmallestChange * total.squares))));
}

bool within(const Difference& d, const Tolerance& tolerance) {
  return d.max_rel <= tolerance.max_rel && d.rms_rel <= tolerance.rms_rel;
}

class Checker {
 public:
  Checker(const Plan& plan, Executable& reference, Executable& backend,
          std::optional<double> max_rel)
      : plan_(plan), reference_(reference), backend_(backend), max_rel_(max_rel) {}

  void run(const Batch& batch) {
    reference_.begin(batch);
    backend_.begin(batch);
    for (size_t i = 0; i < plan_.steps.size(); ++i) run_step(i);
    reference_.end();
    backend_.end();
  }

  // Only attention, from random queries, keys and values: reaches depths for which whole steps of
  // the reference would take minutes.
  void run_attention(const Batch& batch) {
    reference_.begin(batch);
    backend_.begin(batch);
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      const auto* attend = std::get_if<Attend>(&plan_.steps[i].args);
      if (!attend) continue;
      fill(reference_.buffer(attend->qkv));
      run_step(i);
      run_step(i + 1);
    }
    reference_.end();
    backend_.end();
  }

  CheckResult result;

 private:
  // Numbers of deviation 1 from a generator that is the same everywhere (the library's is not).
  void fill(std::span<float> values) {
    for (float& v : values) {
      random_ = random_ * 6364136223846793005u + 1442695040888963407u;  // Knuth's MMIX
      v = (static_cast<float>(random_ >> 40) / (1 << 24) - 0.5f) * 3.4641f;
    }
  }

  void run_step(size_t i) {
    const Step& step = plan_.steps[i];
    const std::vector<BufferId> read = buffers_read(step), written = buffers_written(step);
    for (const BufferId id : read) copy(reference_.buffer(id), backend_.buffer(id));
    std::vector<std::vector<float>> before;
    for (const BufferId id : written) {
      const auto values = reference_.buffer(id);
      const bool adds = std::find(read.begin(), read.end(), id) != read.end();
      before.emplace_back(values.begin(), values.end());
      if (!adds) std::fill(before.back().begin(), before.back().end(), 0.0f);
    }
    reference_.run_step(i);
    backend_.run_step(i);
    for (size_t b = 0; b < written.size(); ++b) note(difference(i, written[b], before[b]));
    if (std::holds_alternative<Pick>(step.args) && backend_.picked(0) != reference_.picked(0))
      note({i, step.name, INFINITY, INFINITY, INFINITY});
  }

  static void copy(std::span<const float> from, std::span<float> to) {
    std::copy(from.begin(), from.end(), to.begin());
  }

  Difference difference(size_t step, BufferId id, std::span<const float> before) const {
    const std::span<const float> got = backend_.buffer(id), expected = reference_.buffer(id);
    const auto columns = static_cast<size_t>(plan_.buffers[static_cast<size_t>(id)].columns);
    require_finite(step, plan_.steps[step].name, expected);
    Difference worst{step, plan_.steps[step].name, 0, 0, 0};
    for (size_t at = 0; at < expected.size(); at += columns)
      compare(
          {got.subspan(at, columns), expected.subspan(at, columns), before.subspan(at, columns)},
          worst);
    return worst;
  }

  void note(const Difference& d) {
    constexpr double kAny = std::numeric_limits<double>::infinity();
    const Tolerance tolerance =
        max_rel_ ? Tolerance{*max_rel_, kAny} : default_tolerance(plan_, plan_.steps[d.step]);
    if (!result.first && !within(d, tolerance)) result.first = d;
    if (!result.largest || d.max_rel > result.largest->max_rel) result.largest = d;
  }

  const Plan& plan_;
  Executable& reference_;
  Executable& backend_;
  std::optional<double> max_rel_;
  uint64_t random_ = 1;
};

// One sequence that is fed in parts.
class Sequence {
 public:
  explicit Sequence(std::span<const int32_t> ids)
      : ids_(ids), positions_(ids.size()), slots_(ids.size(), 0), wants_(ids.size(), 0) {
    std::iota(positions_.begin(), positions_.end(), 0);
  }
  // The ids [begin, end), logits wanted of the last, handed to f unless there are none.
  void feed(size_t begin, size_t end, const auto& f) {
    if (begin == end) return;
    const auto part = [&](const auto& all) { return std::span(all).subspan(begin, end - begin); };
    wants_[end - 1] = 1;
    f(Batch{part(ids_), part(positions_), part(slots_), part(wants_)});
  }

 private:
  std::span<const int32_t> ids_;
  std::vector<int32_t> positions_, slots_;
  std::vector<uint8_t> wants_;
};

// Kernels differ by the number of tokens: wide tiles from kWide on at the latest, and tiles of few
// tokens with what remains of them. So after a first batch come smaller and smaller ones, down to
// one token.
std::vector<size_t> ends_of_batches(size_t n_ids) {
  constexpr size_t kWide = 25;
  const size_t for_small = n_ids > kWide ? n_ids - kWide : 1;
  size_t smallest_sum = 1, sizes = 1;
  while (smallest_sum + sizes + 1 <= for_small) smallest_sum += ++sizes;
  std::vector<size_t> ends = {n_ids - smallest_sum};
  for (size_t size = sizes; size > 0; --size) ends.push_back(ends.back() + size);
  return ends;
}

}  // namespace

Tolerance default_tolerance(const Plan& plan, const Step& step) {
  if (std::holds_alternative<MergePartials>(step.args)) {
    // A key or value that rounds to the other side is off by one unit.
    const auto has = [&](Format f) { return plan.cache.k == f || plan.cache.v == f; };
    return has(Format::bf16)  ? Tolerance{0.02, 0.02}
           : has(Format::f16) ? Tolerance{0.005, 0.005}
                              : Tolerance{1e-4, 1e-4};
  }
  if (std::holds_alternative<Embed>(step.args)) return {0, 0};
  for (const Tensor* t : weights_of(step)) {
    // Activations may be rounded to bfloat16 there.
    if (t->format == Format::bf16) return {0.03, 0.015};
    if (format_info(t->format).block_elems == 1) continue;
    // Sound int8 steps of real models reach 0.029 and 0.015; a product of two such results, of
    // which one may be small, 0.049 and 0.028 (docs/correctness.md).
    const bool gated = std::holds_alternative<GateUp>(step.args) ||
                       std::holds_alternative<GateBy>(step.args) ||
                       std::holds_alternative<ExpertGateUp>(step.args);
    return gated ? Tolerance{0.1, 0.06} : Tolerance{0.05, 0.025};
  }
  return {1e-4, 1e-4};
}

CheckResult check(const Plan& plan, Executable& reference, Executable& backend,
                  std::span<const int32_t> ids, std::optional<double> max_rel) {
  Checker checker(plan, reference, backend, max_rel);
  const auto whole = [&](const Batch& batch) { checker.run(batch); };
  Sequence sequence(ids);
  size_t begin = 0;
  for (const size_t end : ends_of_batches(ids.size())) {
    sequence.feed(begin, end, whole);
    begin = end;
  }

  const auto attention = [&](const Batch& batch) { checker.run_attention(batch); };
  const int64_t deep =
      std::min({kAttentionTokens, plan.options.max_batch, plan.options.n_positions});
  const std::vector<int32_t> any(static_cast<size_t>(deep), ids.front());
  reference.truncate(0, 0);
  backend.truncate(0, 0);
  Sequence long_one(any);
  long_one.feed(0, any.size() - 1, attention);
  long_one.feed(any.size() - 1, any.size(), attention);
  checker.result.steps_checked = static_cast<int64_t>(plan.steps.size());
  return checker.result;
}

}  // namespace plumb
