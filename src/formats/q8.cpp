// Q8_0: 32 signed bytes under one scale, largest magnitude at 127. Rounding as in the Python
// package gguf: half away from zero.

#include <cmath>
#include <cstring>

#include "formats/blocks.h"
#include "formats/codecs.h"
#include "formats/encode.h"
#include "formats/format.h"

namespace plumb {

void decode_q8_0(const uint8_t* blocks, float* values, int64_t n) {
  for (int64_t at = 0; at < n; at += 32, blocks += sizeof(BlockQ8_0), values += 32) {
    const auto b = load_block<BlockQ8_0>(blocks);
    const float d = f16_to_f32(b.d);
    for (int i = 0; i < 32; ++i) values[i] = static_cast<float>(b.q[i]) * d;
  }
}

void encode_q8_0(const float* values, uint8_t* blocks, int64_t n) {
  for (int64_t at = 0; at < n; at += 32, blocks += sizeof(BlockQ8_0), values += 32) {
    const float d = std::fabs(largest_magnitude(values, 32)) / 127, inverse = reciprocal_or_zero(d);
    BlockQ8_0 b{.d = f32_to_f16(d), .q = {}};
    for (int i = 0; i < 32; ++i) {
      const float code = std::round(values[i] * inverse);
      b.q[i] =
          std::isfinite(code) ? static_cast<int8_t>(std::clamp(code, -127.0f, 127.0f)) : int8_t{0};
    }
    std::memcpy(blocks, &b, sizeof b);
  }
}

}  // namespace plumb
