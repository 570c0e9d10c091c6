// Q8_0: 32 signed bytes under one scale, largest magnitude at 127. Rounding as in the Python
// package gguf: half away from zero.

#include <algorithm>
#include <cmath>

#include "formats/codecs.h"
#include "formats/encode.h"
#include "formats/format.h"

namespace plumb {

void decode_q8_0(const uint8_t* blocks, float* values, int64_t n) {
  decode_each<BlockQ8_0>(blocks, values, n, [](const BlockQ8_0& b, float* x) {
    const float d = f16_to_f32(b.d);
    for (int i = 0; i < 32; ++i) x[i] = static_cast<float>(b.q[i]) * d;
  });
}

void encode_q8_0(const float* values, uint8_t* blocks, int64_t n) {
  encode_each<BlockQ8_0>(values, blocks, n, [](const float* x, BlockQ8_0& b) {
    const float d = std::fabs(largest_magnitude(x, 32)) / 127, inverse = reciprocal_or_zero(d);
    b.d = f32_to_f16(d);
    for (int i = 0; i < 32; ++i) {
      const float code = std::round(x[i] * inverse);
      if (std::isfinite(code)) b.q[i] = static_cast<int8_t>(std::clamp(code, -127.0f, 127.0f));
    }
  });
}

}  // namespace plumb
