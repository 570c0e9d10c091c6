// Q2_K and Q3_K: 256 values in 16 sub-blocks of 16. A run of 32 bytes holds 128 values, two bits of
// four of them per byte.

#include "formats/codecs.h"
#include "formats/format.h"

namespace plumb {
namespace {

// The two-bit code of value i (0..255).
int two_bits(const uint8_t* q, int i) {
  return q[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
}

// Scale k (0..15) of Q3_K, -32..31.
int q3_scale(const uint8_t* scales, int k) {
  const int low = k < 8 ? scales[k] & 15 : scales[k - 8] >> 4;
  const int high = scales[8 + k % 4] >> (k / 4 * 2) & 3;
  return (low | high << 4) - 32;
}

}  // namespace

void decode_q2_k(const uint8_t* blocks, float* values, int64_t n) {
  decode_each<BlockQ2K>(blocks, values, n, [](const BlockQ2K& b, float* x) {
    const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
    for (int i = 0; i < 256; ++i) {
      const int scale = b.scales[i / 16];
      const float step = d * static_cast<float>(scale & 15),
                  min = dmin * static_cast<float>(scale >> 4);
      x[i] = step * static_cast<float>(two_bits(b.q, i)) - min;
    }
  });
}

void decode_q3_k(const uint8_t* blocks, float* values, int64_t n) {
  decode_each<BlockQ3K>(blocks, values, n, [](const BlockQ3K& b, float* x) {
    const float d = f16_to_f32(b.d);
    for (int i = 0; i < 256; ++i) {
      const float step = d * static_cast<float>(q3_scale(b.scales, i / 16));
      const int high = b.hmask[i % 32] >> (i / 32) & 1;
      x[i] = step * static_cast<float>(two_bits(b.q, i) + 4 * high - 4);
    }
  });
}

}  // namespace plumb
