#include "measure/work.h"

#include <algorithm>

#include "base/machine.h"
#include "measure/bandwidth.h"

namespace plumb {
namespace {

double multiply_adds(const Plan& plan, int64_t n_tokens, int64_t depth, int64_t n_logits) {
  double ops = 0;
  for (const Step& step : plan.steps) {
    const bool once_per_row = std::holds_alternative<Head>(step.args);
    ops += static_cast<double>(step.cost.ops(once_per_row ? n_logits : n_tokens, depth));
  }
  return ops / 2;
}

// Of weights, by the arithmetic that they are made for.
using Numbers = std::array<int64_t, 3>;

void count(const Step& step, Numbers& numbers) {
  for (const Tensor* t : weights_of(step))
    if (t != table_of(step))  // of which a row is looked up
      numbers[static_cast<size_t>(arithmetic_of(t->format))] += t->elements();
}

Arithmetic most(const Numbers& numbers) {
  return static_cast<Arithmetic>(std::ranges::max_element(numbers) - numbers.begin());
}

PeakKernel kernel_of(Arithmetic arithmetic) {
  const std::vector<PeakKernel> kernels = peak_kernels();
  auto kernel = std::ranges::find(kernels, arithmetic, &PeakKernel::arithmetic);
  if (kernel == kernels.end())
    kernel = std::ranges::find(kernels, Arithmetic::f32, &PeakKernel::arithmetic);
  return *kernel;
}

// Cached bytes that a batch reads which ends at this length, each once.
double cached_bytes(const Plan& plan, int64_t n_tokens, int64_t length) {
  double bytes = 0;
  for (const Step& step : plan.steps) {
    const int64_t window = step.cost.window,
                  seen = window > 0 ? std::min(length, window + n_tokens - 1) : length;
    bytes += static_cast<double>(seen) * static_cast<double>(step.cost.read_per_position);
  }
  return bytes;
}

// The same of n tokens one at a time.
double cached_bytes_one_by_one(const Plan& plan, int64_t n_tokens, int64_t depth) {
  double bytes = 0;
  for (const Step& step : plan.steps)
    bytes += static_cast<double>(Cost::seen(n_tokens, depth, step.cost.window)) *
             static_cast<double>(step.cost.read_per_position);
  return bytes;
}

// What a batch of n tokens reads beyond a batch of one: the experts that one token does not use.
double more_expert_bytes(const Plan& plan, int64_t n_tokens) {
  double bytes = 0;
  for (const Step& step : plan.steps) {
    const Cost& cost = step.cost;
    const int64_t experts = std::min(n_tokens * cost.n_used, cost.n_experts) - cost.n_used;
    bytes += static_cast<double>(experts) * static_cast<double>(cost.expert_bytes);
  }
  return bytes;
}

}  // namespace

Work work_of(const Plan& plan, const BenchTest& test, int64_t n_batch, bool all_logits) {
  const auto weights = static_cast<double>(weight_bytes_per_token(plan));
  Work work;
  int64_t depth = test.n_depth;
  for (int64_t fed = 0; fed < test.n_prompt;) {
    const int64_t piece = std::min(n_batch, test.n_prompt - fed);
    for (int64_t done = 0; done < piece;) {
      const int64_t n = std::min(plan.options.max_batch, piece - done);
      done += n;
      const int64_t n_logits = all_logits ? n : done == piece ? 1 : 0;
      work.prompt_macs += multiply_adds(plan, n, depth, n_logits);
      depth += n;
      work.prompt_bytes += weights + static_cast<double>(state_traffic(plan, n)) +
                           more_expert_bytes(plan, n) + cached_bytes(plan, n, depth);
    }
    fed += piece;
  }
  const auto n = static_cast<double>(test.n_gen);
  work.gen_bytes = n * (weights + static_cast<double>(state_traffic(plan, 1))) +
                   cached_bytes_one_by_one(plan, test.n_gen, depth);
  work.gen_macs = multiply_adds(plan, test.n_gen, depth, test.n_gen);
  return work;
}

Arithmetic arithmetic_of(Format format) {
  if (format_info(format).block_elems > 1) return Arithmetic::dot8;
  return format == Format::bf16 ? Arithmetic::bf16 : Arithmetic::f32;
}

Arithmetic arithmetic_of(const Plan& plan) {
  Numbers numbers{};
  for (const Step& step : plan.steps) count(step, numbers);
  return most(numbers);
}

Arithmetic arithmetic_of(const Step& step) {
  Numbers numbers{};
  count(step, numbers);
  return numbers == Numbers{} ? Arithmetic::f32 : most(numbers);
}

Limits measure_limits(Arithmetic arithmetic, int n_threads) {
  n_threads = std::min(n_threads, usable_processors());
  return {measure_read_bandwidth(n_threads), measure_peak(kernel_of(arithmetic), n_threads)};
}

MachineLimits measure_machine_limits(int n_threads) {
  n_threads = std::min(n_threads, usable_processors());
  MachineLimits limits{.read = measure_read_bandwidth(n_threads)};
  for (size_t i = 0; i < limits.macs.size(); ++i)
    limits.macs[i] = measure_peak(kernel_of(static_cast<Arithmetic>(i)), n_threads);
  return limits;
}

MachineLimits better_of(const MachineLimits& a, const MachineLimits& b) {
  MachineLimits better{.read = std::max(a.read, b.read)};
  for (size_t i = 0; i < better.macs.size(); ++i) better.macs[i] = std::max(a.macs[i], b.macs[i]);
  return better;
}

double least_seconds(const Work& work, const Limits& limits) {
  double seconds = 0;
  if (work.prompt_macs > 0) {
    if (limits.macs <= 0) return 0;
    seconds += work.prompt_macs / limits.macs;
  }
  if (work.gen_bytes > 0) {
    if (limits.read <= 0) return 0;
    seconds += work.gen_bytes / limits.read;
  }
  return seconds;
}

}  // namespace plumb
