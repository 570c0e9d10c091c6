#pragma once
// The 12 bytes of scales of Q4_K and Q5_K, for the scalar codec and for whoever repacks such
// blocks.

#include <cstdint>

namespace plumb {

struct ScaleMin {
  uint8_t scale, min;  // 0..63
};

// Sub-block j (0..7). The first four keep their six bits in bytes j (scale) and j + 4 (minimum). Of
// the others, byte j + 4 holds the low four bits of scale (low nibble) and minimum (high nibble),
// and the spare top bits of bytes j - 4 and j the high two.
inline ScaleMin unpack_scale_min(const uint8_t* scales, int j) {
  if (j < 4)
    return {static_cast<uint8_t>(scales[j] & 63), static_cast<uint8_t>(scales[j + 4] & 63)};
  return {static_cast<uint8_t>((scales[j + 4] & 15) | scales[j - 4] >> 6 << 4),
          static_cast<uint8_t>(scales[j + 4] >> 4 | scales[j] >> 6 << 4)};
}

}  // namespace plumb
