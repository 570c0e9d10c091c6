#pragma once
// What a test of `bench` asks of the machine by the plan, and the least time the machine could take
// for it.

#include <array>

#include "measure/bench_cases.h"
#include "measure/peaks.h"
#include "plan/plan.h"

namespace plumb {

struct Work {
  double prompt_bytes = 0, gen_bytes = 0;  // weights, states and the cache, once per batch
  double prompt_macs = 0, gen_macs = 0;    // multiply-adds
  double bytes() const { return prompt_bytes + gen_bytes; }
  double macs() const { return prompt_macs + gen_macs; }
};

// Prompts are handed over n_batch tokens at a time and computed as many together as the plan
// allows. Logits are computed of the last token handed over, or of all.
Work work_of(const Plan& plan, const BenchTest& test, int64_t n_batch, bool all_logits = false);

// The arithmetic that a format is made for; that most of a plan's weights are.
Arithmetic arithmetic_of(Format format);
Arithmetic arithmetic_of(const Plan& plan);
Arithmetic arithmetic_of(const Step& step);  // f32 where it has no weights: attention

struct Limits {
  double read = 0;  // bytes per second; 0: not measured
  double macs = 0;  // multiply-adds per second, of the plan's arithmetic
};

// Just now, of as many threads, but no more than there are processors: more read no faster.
Limits measure_limits(Arithmetic arithmetic, int n_threads);

// Of every arithmetic, per second; 0: not measured.
struct MachineLimits {
  double read = 0;
  std::array<double, 3> macs{};  // by Arithmetic; f32's for one without instructions of its own
  double of(Arithmetic arithmetic) const { return macs[static_cast<size_t>(arithmetic)]; }
};
MachineLimits measure_machine_limits(int n_threads);
MachineLimits better_of(const MachineLimits& a, const MachineLimits& b);

// Reading a prompt is bound by multiply-adds, generating by reads: seconds of both together; 0
// where a limit that is needed was not measured.
double least_seconds(const Work& work, const Limits& limits);

}  // namespace plumb
