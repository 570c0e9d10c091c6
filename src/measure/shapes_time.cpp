// Timing of one shape: the rotating set, the plan that multiplies by it, and passes over it with
// each instruction set in turns.
#include <algorithm>
#include <chrono>
#include <numeric>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/machine.h"
#include "base/processor.h"
#include "base/text.h"
#include "base/xorshift.h"
#include "generate/engine.h"
#include "measure/shapes.h"

namespace plumb {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kMostMatrices = 1 << 14;
constexpr int64_t kLeastSet = int64_t{64} << 20;

// Products of the same input, one after another.
Plan plan_of(const Shape& shape, const std::vector<Tensor>& set, int64_t max_tokens) {
  constexpr BufferId kInput = 0, kOutput = 1;
  Plan plan{.buffers = {{"input", shape.columns, Rows::token},
                        {"output", shape.rows, Rows::token},
                        {"logits", 1, Rows::logits}},
            .options = {.n_positions = max_tokens, .max_batch = max_tokens},
            .n_vocab = 1};
  for (const Tensor& matrix : set) {
    Project product{.from = kInput, .to = kOutput, .norm = {}, .parts = {}};
    product.parts.push_back({matrix, {}, 0});
    plan.steps.push_back({matrix.name, -1, Path::other, std::move(product), {}});
  }
  return plan;
}

// Tokens of a batch; which they are does not matter.
struct Tokens {
  explicit Tokens(int64_t n)
      : zeros(static_cast<size_t>(n)), positions(zeros.size()), wants(zeros.size()) {
    std::iota(positions.begin(), positions.end(), 0);
  }
  Batch batch(int64_t n) const {
    const auto count = static_cast<size_t>(n);
    return {std::span(zeros).first(count), std::span(positions).first(count),
            std::span(zeros).first(count), std::span(wants).first(count)};
  }
  std::vector<int32_t> zeros, positions;
  std::vector<uint8_t> wants;
};

// Values from -1 to 1, the same in every run.
void fill(std::span<float> values) {
  Xorshift random;
  for (float& v : values)
    v = static_cast<float>(static_cast<int32_t>(random.next() >> 32)) / 2147483648.0f;
}

// One instruction set with panels of its own.
class Variant {
 public:
  Variant(const std::string& set, int n_threads)
      : backend_(make_backend({.name = "cpu", .n_threads = n_threads, .cpu = set})) {
    for (const auto& [label, value] : backend_->describe())
      if (label == "instruction set") name_ = value;
  }

  const std::string& name() const { return name_; }
  int64_t memory(const Plan& plan) const { return backend_->memory(plan).total(); }

  void compile(const Plan& plan, const Tokens& tokens) {
    executable_ = backend_->compile(plan);
    executable_->begin(tokens.batch(plan.options.max_batch));
    fill(executable_->buffer(0));
    executable_->end();
    executable_->truncate(0, 0);
  }

  // Waits until no thread of another variant spins any more, and wakes our own.
  void take_over(const Batch& batch) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    executable_->begin(batch);
    executable_->run_step(0);
    executable_->end();
    executable_->truncate(0, 0);
  }

  // Nanoseconds.
  double pass(const Batch& batch) {
    const auto start = Clock::now();
    executable_->run(batch);
    const auto end = Clock::now();
    executable_->truncate(0, 0);
    return std::chrono::duration<double, std::nano>(end - start).count();
  }

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Executable> executable_;
  std::string name_;
};

class ShapeTimer {
 public:
  ShapeTimer(const Shape& shape, const ShapeOptions& options)
      : shape_(shape),
        options_(options),
        max_tokens_(*std::ranges::max_element(options.n_tokens)),
        set_(rotating_set(shape, std::min(options.set_bytes, most_set_bytes(options.sets.size())))),
        plan_(plan_of(shape, set_, max_tokens_)),
        tokens_(max_tokens_) {
    for (const std::string& name : options.sets) variants_.emplace_back(name, options.n_threads);
    require_memory();
    for (Variant& v : variants_) v.compile(plan_, tokens_);
  }

  ShapeResult time(int64_t n_tokens) {
    ShapeResult result{.shape = &shape_,
                       .n_tokens = n_tokens,
                       .n_threads = options_.n_threads,
                       .n_matrices = std::ssize(set_),
                       .arithmetic = arithmetic_of(shape_.format)};
    for (const Variant& v : variants_) result.times.push_back({v.name(), {}});
    const Limits before = limits_ ? *limits_ : limits();
    const Batch batch = tokens_.batch(n_tokens);
    for (int64_t i = -options_.warm_up; i < options_.iterations; ++i) turn(batch, i, result);
    limits_ = limits();  // the next result's "before"
    result.limits = {std::max(before.read, limits_->read), std::max(before.macs, limits_->macs)};
    return result;
  }

 private:
  void require_memory() const {
    int64_t needed = 0;
    for (const Variant& v : variants_) needed = saturating_add(needed, v.memory(plan_));
    const int64_t available = available_memory_bytes();
    if (needed > available)
      fail("{}: memory: expected at most {} (available now), got {}; fewer --tokens need less",
           shape_.name(), human_bytes(available), human_bytes(needed));
  }

  Limits limits() const {
    if (!options_.measure_limits) return {};
    return measure_limits(arithmetic_of(shape_.format), options_.n_threads);
  }

  // One pass with each set, in changing order; to warm up for i below 0.
  void turn(const Batch& batch, int64_t i, ShapeResult& result) {
    for (size_t k = 0; k < variants_.size(); ++k) {
      const size_t v = i % 2 == 0 ? k : variants_.size() - 1 - k;
      if (variants_.size() > 1) variants_[v].take_over(batch);
      const double ns = variants_[v].pass(batch);
      if (i >= 0) result.times[v].ns.push_back(ns / static_cast<double>(set_.size()));
    }
  }

  const Shape& shape_;
  const ShapeOptions& options_;
  int64_t max_tokens_;
  std::vector<Tensor> set_;
  Plan plan_;
  Tokens tokens_;
  std::vector<Variant> variants_;
  std::optional<Limits> limits_;  // after the last result
};

}  // namespace

std::vector<Tensor> rotating_set(const Shape& shape, int64_t bytes) {
  const int64_t n = std::clamp<int64_t>((bytes + shape.bytes() - 1) / shape.bytes(), 1,  //
                                        kMostMatrices);
  std::vector<Tensor> set;
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
    set.push_back(shape.tensors[i % shape.tensors.size()]);
    set.back().name += fmt::format("#{}", i);
  }
  return set;
}

int64_t default_set_bytes() {
  int64_t bytes = 0;
  int level = 0;
  for (const Cache& c : processor_caches()) {
    if (c.level < level || c.type == "Instruction") continue;
    level = c.level;
    const int64_t caches = (usable_processors() + c.shared_by - 1) / std::max(1, c.shared_by);
    bytes = saturating_mul(c.bytes, caches);
  }
  return std::max(kLeastSet, saturating_mul(bytes, 2));
}

// Shared between the sets, with most left over: for panels, and for others.
int64_t most_set_bytes(size_t n_sets) {
  return available_memory_bytes() / 4 / static_cast<int64_t>(n_sets);
}

std::vector<ShapeResult> time_shape(const Shape& shape, const ShapeOptions& options) {
  CHECK(!options.n_tokens.empty() && !options.sets.empty() && options.iterations > 0);
  ShapeTimer timer(shape, options);
  std::vector<ShapeResult> results;
  for (const int64_t n : options.n_tokens) results.push_back(timer.time(n));
  return results;
}

}  // namespace plumb
