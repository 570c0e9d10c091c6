// IQ4_NL and IQ4_XS: four-bit codes into one table of 16 uneven levels, 32 values under a
// half-float scale (NL), or 256 values in sub-blocks of 32 with six-bit scales under one half float
// (XS).

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "formats/codecs.h"
#include "formats/encode.h"
#include "formats/format.h"

namespace plumb {
namespace {

void decode_32(const uint8_t* q, float d, float* values) {
  for (int j = 0; j < 16; ++j) {
    values[j] = d * static_cast<float>(kIq4Values[q[j] & 15]);
    values[j + 16] = d * static_cast<float>(kIq4Values[q[j] >> 4]);
  }
}

// The code whose level is nearest to x: the number of midpoints below it.
int nearest_code(float x) {
  int code = 0;
  while (code < 15 && 2 * x > static_cast<float>(kIq4Values[code] + kIq4Values[code + 1])) ++code;
  return code;
}

struct Trial {
  uint16_t d = 0;  // f16
  std::array<uint8_t, 32> codes{};
  double error = 0;  // sum of squares
};

// Best codes for a scale, which is rounded to f16 first: codes are decided with the scale that
// decoding will use.
Trial try_scale(const float* values, float d) {
  Trial t{.d = f32_to_f16(d)};
  const float stored = f16_to_f32(t.d), inverse = reciprocal_or_zero(stored);
  for (size_t i = 0; i < 32; ++i) {
    t.codes[i] = static_cast<uint8_t>(nearest_code(values[i] * inverse));
    const double off =
        static_cast<double>(values[i]) - static_cast<double>(stored) * kIq4Values[t.codes[i]];
    t.error += off * off;
  }
  return t;
}

// The scale that fits given codes best (least squares).
float fitted_scale(const float* values, const Trial& t) {
  double product = 0, square = 0;
  for (size_t i = 0; i < 32; ++i) {
    const double level = kIq4Values[t.codes[i]];
    product += level * values[i];
    square += level * level;
  }
  return static_cast<float>(product / square);
}

// The value of largest magnitude may end up on either side of the uneven table and a little inside
// or outside of its end. For each such scale the codes are chosen, the scale is fitted to them, and
// the codes are chosen again; the smallest error wins.
Trial search(const float* values) {
  const float extreme = largest_magnitude(values, 32);
  Trial best = try_scale(values, 0);
  for (int step = -8; step <= 8; ++step) {
    for (const int end : {-127, 113}) {
      Trial t = try_scale(
          values, extreme / (static_cast<float>(end) * (1 + 0.02f * static_cast<float>(step))));
      if (t.error < best.error) best = t;
      t = try_scale(values, fitted_scale(values, t));
      if (t.error < best.error) best = t;
    }
  }
  return best;
}

}  // namespace

void decode_iq4_nl(const uint8_t* blocks, float* values, int64_t n) {
  decode_each<BlockIq4Nl>(
      blocks, values, n, [](const BlockIq4Nl& b, float* x) { decode_32(b.q, f16_to_f32(b.d), x); });
}

void encode_iq4_nl(const float* values, uint8_t* blocks, int64_t n) {
  encode_each<BlockIq4Nl>(values, blocks, n, [](const float* x, BlockIq4Nl& b) {
    const Trial t = search(x);
    b.d = t.d;
    for (size_t j = 0; j < 16; ++j)
      b.q[j] = static_cast<uint8_t>(t.codes[j] | t.codes[j + 16] << 4);
  });
}

void decode_iq4_xs(const uint8_t* blocks, float* values, int64_t n) {
  decode_each<BlockIq4Xs>(blocks, values, n, [](const BlockIq4Xs& b, float* x) {
    const float d = f16_to_f32(b.d);
    for (int j = 0; j < 8; ++j) {
      const int low = b.scales_low[j / 2] >> (4 * (j % 2)) & 15,
                high = b.scales_high >> (2 * j) & 3;
      decode_32(b.q + 16 * j, d * static_cast<float>((low | high << 4) - 32), x + 32 * j);
    }
  });
}

}  // namespace plumb
