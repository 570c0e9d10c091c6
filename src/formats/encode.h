#pragma once
// What the encoders of 32-value blocks share.

#include <algorithm>
#include <cmath>

namespace plumb {

// The value farthest from zero with its sign, the first of equals. A NaN counts as farthest, so
// that a block with one decodes to NaN instead of hiding it.
inline float largest_magnitude(const float* values, int n) {
  float largest = values[0];
  for (int i = 1; i < n && !std::isnan(largest); ++i)
    if (!(std::fabs(values[i]) <= std::fabs(largest))) largest = values[i];
  return largest;
}

// Smallest and largest; NaN where any value is.
struct Range {
  float min, max;
};
inline Range range_of(const float* values, int n) {
  float min = values[0], max = values[0];
  for (int i = 1; i < n && !std::isnan(max); ++i) {
    if (!(values[i] >= min)) min = values[i];
    if (!(values[i] <= max)) max = values[i];
  }
  return {min, max};
}

inline float reciprocal_or_zero(float d) {
  return d == 0 ? 0 : 1 / d;
}

// Toward zero, into 0..largest. Only values that overflowed (a block of subnormals, a range beyond
// f32) are not finite here.
inline int truncate_code(float x, int largest) {
  return std::isfinite(x) ? std::clamp(static_cast<int>(x), 0, largest) : 0;
}

}  // namespace plumb
