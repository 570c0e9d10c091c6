// Half (IEEE 754 binary16) and bfloat16 against float, in integer arithmetic: the same bits on
// every machine.

#include <algorithm>
#include <bit>

#include "formats/format.h"

namespace plumb {
namespace {

constexpr uint32_t kFloatInf = 0x7f800000;

// x / 2^shift to the nearest, ties to even; shift 1..31.
uint32_t shift_right_even(uint32_t x, int shift) {
  const uint32_t half = 1u << (shift - 1), odd = (x >> shift) & 1;
  return (x + half - 1 + odd) >> shift;
}

}  // namespace

float f16_to_f32(uint16_t bits) {
  const uint32_t sign = (bits & 0x8000u) << 16, exponent = (bits >> 10) & 31,
                 fraction = bits & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | kFloatInf | fraction << 13);
  if (exponent > 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;  // subnormal: exact
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value), sign = bits >> 16 & 0x8000,
                 magnitude = bits & 0x7fffffff;
  if (magnitude > kFloatInf)  // the top of the payload, as numpy does; never 0, which is infinity
    return static_cast<uint16_t>(sign | 0x7c00 | std::max(1u, magnitude >> 13 & 0x3ff));
  if (magnitude >= 0x477ff000)
    return static_cast<uint16_t>(sign | 0x7c00);  // 65520 and up round to infinity
  const int exponent = static_cast<int>(magnitude >> 23) - 127;
  if (exponent >= -14)
    return static_cast<uint16_t>(sign | (shift_right_even(magnitude, 13) - (112u << 10)));
  if (exponent < -25) return static_cast<uint16_t>(sign);
  const uint32_t significand = (magnitude & 0x7fffff) | 0x800000;  // of a multiple of 2^-24
  return static_cast<uint16_t>(sign | shift_right_even(significand, -1 - exponent));
}

float bf16_to_f32(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > kFloatInf) return static_cast<uint16_t>(bits >> 16 | 64);  // quiet NaN
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace plumb
