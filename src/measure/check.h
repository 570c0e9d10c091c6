#pragma once
// Holds a backend against the reference, step by step. Before every step the backend gets the
// reference's own inputs, so that an error shows in the step that makes it and does not hide in, or
// spread to, the ones after it.

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "backend/backend.h"

namespace plumb {

struct Difference {
  size_t step;
  std::string name;
  double max_abs;  // largest |a - b| of the step's output
  double max_rel;  // the same over the largest |b|
};

struct CheckResult {
  int64_t steps_checked = 0;
  std::optional<Difference> first;    // the first step whose max_rel is above the tolerance
  std::optional<Difference> largest;  // the step that differs most, whatever the tolerance
};

// The tolerance for a backend that quantises activations to 8 bits per 32 values; an exact one is
// far below.
inline constexpr double kDefaultCheckTolerance = 0.05;

// Feeds ids (at least one, at most a batch) to both as one sequence: all but the last as one batch,
// then the last alone, so that both the many-token and the one-token kernels are seen. Error: the
// reference itself computes something that is not finite (the file's weights are broken).
CheckResult check(const Plan& plan, Executable& reference, Executable& backend,
                  std::span<const int32_t> ids, double tolerance = kDefaultCheckTolerance);

}  // namespace plumb
