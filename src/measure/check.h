#pragma once
// Holds a backend against the reference, step by step. Before every step the backend gets the
// reference's own inputs, so that an error shows in the step that makes it and does not hide in, or
// spread to, the ones after it. Attend leaves its results where only MergePartials finds them, so
// an error of attention is named after the latter.

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "backend/backend.h"

namespace plumb {

// Outputs are compared token by token: a token with large values does not hide the others. Where a
// step adds to a buffer, the measure is what it adds.
struct Difference {
  size_t step;
  std::string name;
  double max_abs;  // largest |a - b| of the step's output
  double max_rel;  // of the worst token: largest |a - b| over the largest |b|
  double rms_rel;  // of the worst token: root of the sums of (a - b)^2 over b^2
};

// What a sound backend stays below.
struct Tolerance {
  double max_rel, rms_rel;
};

struct CheckResult {
  int64_t steps_checked = 0;
  std::optional<Difference> first;    // the first step beyond its tolerance
  std::optional<Difference> largest;  // the step with the largest max_rel, whatever the tolerance
};

// By what a backend may round in a step: activations to 8 bits per 32 values where the weights are
// of a block format, keys and values to the cache's type, nothing but f32 elsewhere.
Tolerance default_tolerance(const Plan& plan, const Step& step);

// Attention is also checked at this many tokens, where the plan has room for them: more than a page
// of the cache and a chunk of positions.
inline constexpr int64_t kAttentionTokens = 200;

// Ids for which all sizes of batches that have kernels of their own occur.
inline constexpr int64_t kCheckTokens = 100;

// Feeds ids (at least one, at most a batch) to both as one sequence: a first batch, then
// smaller and smaller ones down to one token, so that the kernels for many, for few and for one are
// seen (kCheckTokens ids reach all); then random numbers to attention alone, deeper. A max_rel that
// is given stands for all steps' default tolerances. Sequence 0 is left with what was fed last.
// Error: the reference itself computes something that is not finite (the file's weights are
// broken).
CheckResult check(const Plan& plan, Executable& reference, Executable& backend,
                  std::span<const int32_t> ids, std::optional<double> max_rel = {});

}  // namespace plumb
