// Q4_0 and Q4_1: 32 values of four bits under one scale, without and with a minimum. Rounding as in
// the Python package gguf: codes from the unrounded scale, which is then stored as a half.

#include "formats/codecs.h"
#include "formats/encode.h"
#include "formats/format.h"

namespace plumb {

void decode_q4_0(const uint8_t* blocks, float* values, int64_t n) {
  decode_each<BlockQ4_0>(blocks, values, n, [](const BlockQ4_0& b, float* x) {
    const float d = f16_to_f32(b.d);
    for (int j = 0; j < 16; ++j) {
      x[j] = d * static_cast<float>((b.q[j] & 15) - 8);
      x[j + 16] = d * static_cast<float>((b.q[j] >> 4) - 8);
    }
  });
}

void encode_q4_0(const float* values, uint8_t* blocks, int64_t n) {
  encode_each<BlockQ4_0>(values, blocks, n, [](const float* x, BlockQ4_0& b) {
    const float d = largest_magnitude(x, 32) / -8, inverse = reciprocal_or_zero(d);
    b.d = f32_to_f16(d);
    const auto code = [&](int i) { return truncate_code(x[i] * inverse + 8.5f, 15); };
    for (int j = 0; j < 16; ++j) b.q[j] = static_cast<uint8_t>(code(j) | code(j + 16) << 4);
  });
}

void decode_q4_1(const uint8_t* blocks, float* values, int64_t n) {
  decode_each<BlockQ4_1>(blocks, values, n, [](const BlockQ4_1& b, float* x) {
    const float d = f16_to_f32(b.d), m = f16_to_f32(b.m);
    for (int j = 0; j < 16; ++j) {
      x[j] = d * static_cast<float>(b.q[j] & 15) + m;
      x[j + 16] = d * static_cast<float>(b.q[j] >> 4) + m;
    }
  });
}

void encode_q4_1(const float* values, uint8_t* blocks, int64_t n) {
  encode_each<BlockQ4_1>(values, blocks, n, [](const float* x, BlockQ4_1& b) {
    const Range range = range_of(x, 32);
    const float d = (range.max - range.min) / 15, inverse = reciprocal_or_zero(d);
    b.d = f32_to_f16(d);
    b.m = f32_to_f16(range.min);
    const auto code = [&](int i) { return truncate_code((x[i] - range.min) * inverse + 0.5f, 15); };
    for (int j = 0; j < 16; ++j) b.q[j] = static_cast<uint8_t>(code(j) | code(j + 16) << 4);
  });
}

}  // namespace plumb
