// The register model of kernels_*.h in plain C++: 16 lanes are arrays, and the compiler uses what
// registers it may. For machines without a set of their own, and the measure of the others in
// tests.

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "formats/format.h"

namespace plumb::cpu {
namespace {

#define SIMD_INLINE static inline __attribute__((always_inline))
#define SIMD_METHOD inline __attribute__((always_inline))

struct Simd {
  static constexpr const char* kName = "scalar";
  static constexpr const char* kDotLabel = "portable";
  static constexpr int kWidePanels = 1, kWideTokens = 1;
  static constexpr int kNarrowTokens[] = {1, 1};  // by the scales of a block
  // From this many tokens on, expanding a panel once is cheaper than unpacking it for every tile.
  static constexpr int64_t kWideFrom = 12;
  static constexpr int kFloatTokens = 1, kFewFloatTokens = 1;
  static constexpr int kQueryRows = 1, kScoreRegisters = 1, kValueRegisters = 1;

  struct F {
    float v[16];
  };
  struct I {
    int32_t v[16];
  };
  struct B {
    uint8_t v[64];
  };
  struct Table {
    uint8_t v[16];
  };

  template <typename Out, typename Function>
  SIMD_INLINE Out each(Function f) {
    Out out;
    for (int i = 0; i < static_cast<int>(sizeof(out.v) / sizeof(out.v[0])); ++i) out.v[i] = f(i);
    return out;
  }

  SIMD_INLINE F set(float x) {
    return each<F>([&](int) { return x; });
  }
  SIMD_INLINE F zero() { return set(0); }
  SIMD_INLINE F load(const float* p) {
    return each<F>([&](int i) { return p[i]; });
  }
  SIMD_INLINE void store(float* p, const F& x) { std::memcpy(p, x.v, sizeof x.v); }
  SIMD_INLINE F load_first(const float* p, int64_t n) {
    return each<F>([&](int i) { return i < n ? p[i] : 0.0f; });
  }
  SIMD_INLINE void store_first(float* p, const F& x, int64_t n) {
    for (int i = 0; i < 16 && i < n; ++i) p[i] = x.v[i];
  }
  SIMD_INLINE F keep_first(const F& x, int64_t n, const F& other) {
    return each<F>([&](int i) { return i < n ? x.v[i] : other.v[i]; });
  }
  SIMD_INLINE F add(const F& a, const F& b) {
    return each<F>([&](int i) { return a.v[i] + b.v[i]; });
  }
  SIMD_INLINE F sub(const F& a, const F& b) {
    return each<F>([&](int i) { return a.v[i] - b.v[i]; });
  }
  SIMD_INLINE F mul(const F& a, const F& b) {
    return each<F>([&](int i) { return a.v[i] * b.v[i]; });
  }
  SIMD_INLINE F div(const F& a, const F& b) {
    return each<F>([&](int i) { return a.v[i] / b.v[i]; });
  }
  SIMD_INLINE F fma(const F& a, const F& b, const F& c) {
    return each<F>([&](int i) { return a.v[i] * b.v[i] + c.v[i]; });
  }
  SIMD_INLINE F max(const F& a, const F& b) {
    return each<F>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  SIMD_INLINE F min(const F& a, const F& b) {
    return each<F>([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  SIMD_INLINE float sum_lanes(F a) {
    for (int half = 8; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) a.v[i] += a.v[i + half];
    return a.v[0];
  }
  SIMD_INLINE float max_lanes(const F& a) {
    float largest = a.v[0];
    for (int i = 1; i < 16; ++i) largest = a.v[i] > largest ? a.v[i] : largest;
    return largest;
  }
  SIMD_INLINE float min_lanes(const F& a) {
    float smallest = a.v[0];
    for (int i = 1; i < 16; ++i) smallest = a.v[i] < smallest ? a.v[i] : smallest;
    return smallest;
  }
  SIMD_INLINE F swap_pairs(const F& a) {
    return each<F>([&](int i) { return a.v[i ^ 1]; });
  }
  SIMD_INLINE F round(const F& a) {
    return each<F>([&](int i) { return std::nearbyint(a.v[i]); });
  }
  SIMD_INLINE F scale_by_power(const F& a, const F& n) {
    return each<F>([&](int i) {
      if (!(n.v[i] >= -126)) return a.v[i];  // not a number, and neither is a
      return a.v[i] * std::bit_cast<float>((static_cast<int32_t>(n.v[i]) + 127) << 23);
    });
  }

  SIMD_INLINE F load_f16(const uint16_t* p) {
    return each<F>([&](int i) { return f16_to_f32(p[i]); });
  }
  SIMD_INLINE void store_f16(uint16_t* p, const F& x) {
    for (int i = 0; i < 16; ++i) p[i] = f32_to_f16(x.v[i]);
  }
  SIMD_INLINE F load_bf16(const uint16_t* p) {
    return each<F>([&](int i) { return bf16_to_f32(p[i]); });
  }
  SIMD_INLINE F load_e8m0(const uint8_t* p) {
    return each<F>([&](int i) { return std::ldexp(1.0f, p[i] - 128); });
  }

  SIMD_INLINE I set_i(int32_t x) {
    return each<I>([&](int) { return x; });
  }
  SIMD_INLINE I zero_i() { return set_i(0); }
  SIMD_INLINE I add_i(const I& a, const I& b) {
    return each<I>([&](int i) { return a.v[i] + b.v[i]; });
  }
  SIMD_INLINE I sub_i(const I& a, const I& b) {
    return each<I>([&](int i) { return a.v[i] - b.v[i]; });
  }
  SIMD_INLINE I load_u8(const uint8_t* p) {
    return each<I>([&](int i) { return p[i]; });
  }
  SIMD_INLINE I load_s8(const uint8_t* p) {
    return each<I>([&](int i) { return static_cast<int8_t>(p[i]); });
  }
  template <int from, int n>
  SIMD_INLINE I bits(const I& x) {
    return each<I>([&](int i) { return x.v[i] >> from & ((1 << n) - 1); });
  }
  template <int by>
  SIMD_INLINE I shift_left(const I& x) {
    return each<I>([&](int i) { return x.v[i] << by; });
  }
  SIMD_INLINE I load_i(const uint8_t* p) {
    I out;
    std::memcpy(out.v, p, sizeof out.v);
    return out;
  }
  SIMD_INLINE void store_i(uint8_t* p, const I& x) { std::memcpy(p, x.v, sizeof x.v); }
  SIMD_INLINE F to_float(const I& a) {
    return each<F>([&](int i) { return static_cast<float>(a.v[i]); });
  }
  SIMD_INLINE I round_to_int(const F& a) {
    return each<I>([&](int i) {
      const float x = std::nearbyint(a.v[i]);
      return std::fabs(x) < 1e9f ? static_cast<int32_t>(x) : 0;  // NaN and infinity too
    });
  }
  SIMD_INLINE void store_i8(int8_t* p, const I& a) {
    for (int i = 0; i < 16; ++i) p[i] = static_cast<int8_t>(a.v[i]);
  }
  SIMD_INLINE int32_t first_lane(const I& a) { return a.v[0]; }
  SIMD_INLINE int32_t sum_lanes_i(const I& a) {
    int32_t sum = 0;
    for (int i = 0; i < 16; ++i) sum += a.v[i];
    return sum;
  }

  SIMD_INLINE B load_b(const uint8_t* p) {
    return each<B>([&](int i) { return p[i]; });
  }
  static constexpr int kLargeCodesLess = 0;
  SIMD_INLINE B load_large_codes(const uint8_t* p) { return load_b(p); }
  SIMD_INLINE void store_b(uint8_t* p, const B& x) { std::memcpy(p, x.v, sizeof x.v); }
  SIMD_INLINE B low_nibbles(const B& x) {
    return each<B>([&](int i) { return static_cast<uint8_t>(x.v[i] & 15); });
  }
  SIMD_INLINE B high_nibbles(const B& x) {
    return each<B>([&](int i) { return static_cast<uint8_t>(x.v[i] >> 4); });
  }
  template <int from, int to, int n>
  SIMD_INLINE B move_bits(const B& x) {
    return each<B>(
        [&](int i) { return static_cast<uint8_t>((x.v[i] >> from & ((1 << n) - 1)) << to); });
  }
  SIMD_INLINE B or_b(const B& a, const B& b) {
    return each<B>([&](int i) { return static_cast<uint8_t>(a.v[i] | b.v[i]); });
  }
  SIMD_INLINE Table load_table(const uint8_t* p) {
    return each<Table>([&](int i) { return p[i]; });
  }
  SIMD_INLINE B look_up(const Table& table, const B& nibbles) {
    return each<B>([&](int i) { return table.v[nibbles.v[i]]; });
  }
  SIMD_INLINE B add_b(const B& a, const B& b) {
    return each<B>([&](int i) { return static_cast<uint8_t>(a.v[i] + b.v[i]); });
  }
  template <bool>
  SIMD_INLINE I add_bytes(const I& sum, const B& bytes) {
    constexpr int8_t kOnes[4] = {1, 1, 1, 1};
    return dot<true, 0>(sum, bytes, kOnes);
  }
  SIMD_INLINE I dot_halves(const I& sum, const I& halves, int32_t pair) {
    const int32_t low = static_cast<int16_t>(pair), high = pair >> 16;
    return each<I>([&](int i) {
      return sum.v[i] + static_cast<int16_t>(halves.v[i]) * low + (halves.v[i] >> 16) * high;
    });
  }
  template <bool, int g>
  SIMD_INLINE I dot(const I& sum, const B& codes, const int8_t* x) {
    return each<I>([&](int i) {
      int32_t lane = sum.v[i];
      for (int j = 0; j < 4; ++j) lane += codes.v[4 * i + j] * x[4 * g + j];
      return lane;
    });
  }
};

}  // namespace
}  // namespace plumb::cpu
