// Q4_K and Q5_K: 256 values in 8 sub-blocks of 32, each with a scale and a minimum of six bits.

#include "formats/codecs.h"
#include "formats/format.h"
#include "formats/scale_min.h"

namespace plumb {
namespace {

// The four-bit code of value i (0..255): 32 bytes serve 64 values.
int nibble(const uint8_t* q, int i) {
  const int byte = q[i / 64 * 32 + i % 32];
  return i % 64 < 32 ? byte & 15 : byte >> 4;
}

// Both types once their codes are known: code(i) of value i.
template <typename Block, typename Code>
void decode_block(const Block& b, float* values, Code code) {
  const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
  for (int j = 0; j < 8; ++j) {
    const ScaleMin s = unpack_scale_min(b.scales, j);
    const float step = d * static_cast<float>(s.scale), min = dmin * static_cast<float>(s.min);
    for (int i = 32 * j; i < 32 * j + 32; ++i) values[i] = step * static_cast<float>(code(i)) - min;
  }
}

}  // namespace

void decode_q4_k(const uint8_t* blocks, float* values, int64_t n) {
  decode_each<BlockQ4K>(blocks, values, n, [](const BlockQ4K& b, float* x) {
    decode_block(b, x, [&](int i) { return nibble(b.q, i); });
  });
}

void decode_q5_k(const uint8_t* blocks, float* values, int64_t n) {
  decode_each<BlockQ5K>(blocks, values, n, [](const BlockQ5K& b, float* x) {
    decode_block(b, x, [&](int i) { return nibble(b.q, i) | (b.qh[i % 32] >> (i / 32) & 1) << 4; });
  });
}

}  // namespace plumb
