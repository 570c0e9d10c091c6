// Q4_0 and Q4_1: 32 values of four bits under one scale, without and with a minimum. Rounding as in
// the Python package gguf: codes from the unrounded scale, which is then stored as a half.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "formats/blocks.h"
#include "formats/codecs.h"
#include "formats/encode.h"
#include "formats/format.h"

namespace plumb {

void decode_q4_0(const uint8_t* blocks, float* values, int64_t n) {
  for (int64_t at = 0; at < n; at += 32, blocks += sizeof(BlockQ4_0), values += 32) {
    const auto b = load_block<BlockQ4_0>(blocks);
    const float d = f16_to_f32(b.d);
    for (int j = 0; j < 16; ++j) {
      values[j] = d * static_cast<float>((b.q[j] & 15) - 8);
      values[j + 16] = d * static_cast<float>((b.q[j] >> 4) - 8);
    }
  }
}

void encode_q4_0(const float* values, uint8_t* blocks, int64_t n) {
  for (int64_t at = 0; at < n; at += 32, blocks += sizeof(BlockQ4_0), values += 32) {
    const float d = largest_magnitude(values, 32) / -8, inverse = reciprocal_or_zero(d);
    BlockQ4_0 b{.d = f32_to_f16(d), .q = {}};
    const auto code = [&](int i) { return truncate_code(values[i] * inverse + 8.5f, 15); };
    for (int j = 0; j < 16; ++j) b.q[j] = static_cast<uint8_t>(code(j) | code(j + 16) << 4);
    std::memcpy(blocks, &b, sizeof b);
  }
}

void decode_q4_1(const uint8_t* blocks, float* values, int64_t n) {
  for (int64_t at = 0; at < n; at += 32, blocks += sizeof(BlockQ4_1), values += 32) {
    const auto b = load_block<BlockQ4_1>(blocks);
    const float d = f16_to_f32(b.d), m = f16_to_f32(b.m);
    for (int j = 0; j < 16; ++j) {
      values[j] = d * static_cast<float>(b.q[j] & 15) + m;
      values[j + 16] = d * static_cast<float>(b.q[j] >> 4) + m;
    }
  }
}

void encode_q4_1(const float* values, uint8_t* blocks, int64_t n) {
  for (int64_t at = 0; at < n; at += 32, blocks += sizeof(BlockQ4_1), values += 32) {
    const auto [min, max] = range_of(values, 32);
    const float d = (max - min) / 15, inverse = reciprocal_or_zero(d);
    BlockQ4_1 b{.d = f32_to_f16(d), .m = f32_to_f16(min), .q = {}};
    const auto code = [&, lowest = min](int i) {
      return truncate_code((values[i] - lowest) * inverse + 0.5f, 15);
    };
    for (int j = 0; j < 16; ++j) b.q[j] = static_cast<uint8_t>(code(j) | code(j + 16) << 4);
    std::memcpy(blocks, &b, sizeof b);
  }
}

}  // namespace plumb
