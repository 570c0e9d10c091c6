// F32, F16 and BF16: one value per block, little-endian.

#include <bit>
#include <cstring>

#include "formats/codecs.h"
#include "formats/format.h"

namespace plumb {
namespace {

static_assert(std::endian::native == std::endian::little,
              "blocks are copied as they stand in the file");

template <float (*convert)(uint16_t)>
void decode_16(const uint8_t* blocks, float* values, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    uint16_t bits;
    std::memcpy(&bits, blocks + 2 * i, sizeof bits);
    values[i] = convert(bits);
  }
}

template <uint16_t (*convert)(float)>
void encode_16(const float* values, uint8_t* blocks, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const uint16_t bits = convert(values[i]);
    std::memcpy(blocks + 2 * i, &bits, sizeof bits);
  }
}

}  // namespace

void decode_f32(const uint8_t* blocks, float* values, int64_t n) {
  if (n > 0) std::memcpy(values, blocks, static_cast<size_t>(n) * sizeof(float));
}
void encode_f32(const float* values, uint8_t* blocks, int64_t n) {
  if (n > 0) std::memcpy(blocks, values, static_cast<size_t>(n) * sizeof(float));
}
void decode_f16(const uint8_t* blocks, float* values, int64_t n) {
  decode_16<f16_to_f32>(blocks, values, n);
}
void encode_f16(const float* values, uint8_t* blocks, int64_t n) {
  encode_16<f32_to_f16>(values, blocks, n);
}
void decode_bf16(const uint8_t* blocks, float* values, int64_t n) {
  decode_16<bf16_to_f32>(blocks, values, n);
}
void encode_bf16(const float* values, uint8_t* blocks, int64_t n) {
  encode_16<f32_to_bf16>(values, blocks, n);
}

}  // namespace plumb
