// Q6_K: 256 values of six bits in 16 sub-blocks of 16 with signed byte scales. 64 bytes of low
// nibbles and 32 bytes of high bit pairs serve 128 values.

#include "formats/codecs.h"
#include "formats/format.h"

namespace plumb {
namespace {

// The code of value i (0..255), -32..31.
int code_at(const BlockQ6K& b, int i) {
  const int half = i / 128, quarter = i % 128 / 32;
  const int byte = b.ql[half * 64 + i % 64];
  const int low = quarter < 2 ? byte & 15 : byte >> 4;
  const int high = b.qh[half * 32 + i % 32] >> (2 * quarter) & 3;
  return (low | high << 4) - 32;
}

}  // namespace

void decode_q6_k(const uint8_t* blocks, float* values, int64_t n) {
  decode_each<BlockQ6K>(blocks, values, n, [](const BlockQ6K& b, float* x) {
    const float d = f16_to_f32(b.d);
    for (int i = 0; i < 256; ++i) {
      const float step = d * static_cast<float>(b.scales[i / 16]);
      x[i] = step * static_cast<float>(code_at(b, i));
    }
  });
}

}  // namespace plumb
