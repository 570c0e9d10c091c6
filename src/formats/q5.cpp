// Q5_0 and Q5_1: 32 values of five bits under one scale, without and with a minimum; the fifth bits
// stand apart. Rounding as in the Python package gguf.

#include "formats/codecs.h"
#include "formats/encode.h"
#include "formats/format.h"

namespace plumb {
namespace {

// Code i (0..31) of a block with nibbles and fifth bits.
template <typename Block>
int code_at(const Block& b, int i) {
  const int nibble = i < 16 ? b.q[i] & 15 : b.q[i - 16] >> 4;
  return nibble | (b.qh[i / 8] >> (i % 8) & 1) << 4;
}

// The same the other way, for a block that is all zeros yet.
template <typename Block>
void set_code(Block& b, int i, int code) {
  b.q[i % 16] = static_cast<uint8_t>(b.q[i % 16] | (code & 15) << (i < 16 ? 0 : 4));
  b.qh[i / 8] = static_cast<uint8_t>(b.qh[i / 8] | (code >> 4) << (i % 8));
}

}  // namespace

void decode_q5_0(const uint8_t* blocks, float* values, int64_t n) {
  decode_each<BlockQ5_0>(blocks, values, n, [](const BlockQ5_0& b, float* x) {
    const float d = f16_to_f32(b.d);
    for (int i = 0; i < 32; ++i) x[i] = d * static_cast<float>(code_at(b, i) - 16);
  });
}

void encode_q5_0(const float* values, uint8_t* blocks, int64_t n) {
  encode_each<BlockQ5_0>(values, blocks, n, [](const float* x, BlockQ5_0& b) {
    const float d = largest_magnitude(x, 32) / -16, inverse = reciprocal_or_zero(d);
    b.d = f32_to_f16(d);
    for (int i = 0; i < 32; ++i) set_code(b, i, truncate_code(x[i] * inverse + 16.5f, 31));
  });
}

void decode_q5_1(const uint8_t* blocks, float* values, int64_t n) {
  decode_each<BlockQ5_1>(blocks, values, n, [](const BlockQ5_1& b, float* x) {
    const float d = f16_to_f32(b.d), m = f16_to_f32(b.m);
    for (int i = 0; i < 32; ++i) x[i] = d * static_cast<float>(code_at(b, i)) + m;
  });
}

void encode_q5_1(const float* values, uint8_t* blocks, int64_t n) {
  encode_each<BlockQ5_1>(values, blocks, n, [](const float* x, BlockQ5_1& b) {
    const Range range = range_of(x, 32);
    const float d = (range.max - range.min) / 31, inverse = reciprocal_or_zero(d);
    b.d = f32_to_f16(d);
    b.m = f32_to_f16(range.min);
    for (int i = 0; i < 32; ++i)
      set_code(b, i, truncate_code((x[i] - range.min) * inverse + 0.5f, 31));
  });
}

}  // namespace plumb
