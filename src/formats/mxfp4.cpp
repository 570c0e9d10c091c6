// MXFP4 (Open Compute Project, Microscaling Formats 1.0): 32 values E2M1 under one power of two.
// The file's exponent byte is E8M0 with bias 127 over the doubled E2M1 values, hence 2^(e - 128);
// 255 is not special.

#include <bit>

#include "formats/codecs.h"

namespace plumb {
namespace {

// 2^(e - 128); the two smallest are subnormal.
float scale(uint8_t e) {
  const uint32_t bits = e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23;
  return std::bit_cast<float>(bits);
}

}  // namespace

void decode_mxfp4(const uint8_t* blocks, float* values, int64_t n) {
  decode_each<BlockMxfp4>(blocks, values, n, [](const BlockMxfp4& b, float* x) {
    const float d = scale(b.e);
    for (int j = 0; j < 16; ++j) {
      x[j] = d * static_cast<float>(kFp4Doubled[b.q[j] & 15]);
      x[j + 16] = d * static_cast<float>(kFp4Doubled[b.q[j] >> 4]);
    }
  });
}

}  // namespace plumb
