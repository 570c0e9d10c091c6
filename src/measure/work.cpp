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

}  // namespace

Work work_of(const Plan& plan, const BenchTest& test, int64_t n_batch, bool all_logits) {
  const auto weights = static_cast<double>(weight_bytes_per_token(plan));
  const auto per_position = static_cast<double>(plan.cache.bytes_per_position());
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
      work.prompt_bytes += weights + static_cast<double>(depth) * per_position;
    }
    fed += piece;
  }
  const auto n = static_cast<double>(test.n_gen);
  work.gen_bytes = n * weights + static_cast<double>(Cost::seen(test.n_gen, depth)) * per_position;
  work.gen_macs = multiply_adds(plan, test.n_gen, depth, test.n_gen);
  return work;
}

Arithmetic arithmetic_of(Format format) {
  if (format_info(format).block_elems > 1) return Arithmetic::dot8;
  return format == Format::bf16 ? Arithmetic::bf16 : Arithmetic::f32;
}

Arithmetic arithmetic_of(const Plan& plan) {
  int64_t numbers[3] = {};
  for (const Step& step : plan.steps) {
    if (std::holds_alternative<Embed>(step.args)) continue;  // a row is looked up
    for (const Tensor* t : weights_of(step))
      numbers[static_cast<size_t>(arithmetic_of(t->format))] += t->elements();
  }
  return static_cast<Arithmetic>(std::max_element(numbers, numbers + 3) - numbers);
}

Limits measure_limits(Arithmetic arithmetic, int n_threads) {
  n_threads = std::min(n_threads, usable_processors());
  const std::vector<PeakKernel> kernels = peak_kernels();
  const auto of = [&](Arithmetic a) {
    return std::ranges::find(kernels, a, &PeakKernel::arithmetic);
  };
  auto kernel = of(arithmetic);
  if (kernel == kernels.end()) kernel = of(Arithmetic::f32);
  return {measure_read_bandwidth(n_threads), measure_peak(*kernel, n_threads)};
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
