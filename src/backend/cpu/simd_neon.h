// The register model of kernels_*.h on AArch64 with NEON and its dot product: four 128-bit
// registers are 16 lanes. With I8MM the same model has a dot product of unsigned and signed bytes.
// Included by one source file per set, which is compiled for that set. The rest of NEON, conversion
// of half floats and fused multiply-add included, every AArch64 machine has.

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace plumb::cpu {
namespace {

#define SIMD_INLINE static inline __attribute__((always_inline))
#define SIMD_METHOD inline __attribute__((always_inline))

struct Simd {
#if defined(__ARM_FEATURE_MATMUL_INT8)
  static constexpr const char* kName = "neon-i8mm";
  static constexpr const char* kDotLabel = "usdot";
  static constexpr int kLargeCodesLess = 0;
#else
  static constexpr const char* kName = "neon";
  static constexpr const char* kDotLabel = "sdot";
  static constexpr int kLargeCodesLess = 128;  // both factors are signed
#endif
  // Of the 32 registers a tile of codes takes 16 for sums and 8 for codes, one of numbers 16 for
  // sums and 4 for weights, one of attention 16 for sums and 8 for keys or values.
  static constexpr int kWidePanels = 1, kWideTokens = 4;
  static constexpr int kNarrowTokens[] = {4, 4};  // by the scales of a block
  // From this many tokens on, expanding a panel once is cheaper than unpacking it for every tile.
  static constexpr int64_t kWideFrom = 12;
  static constexpr int kFloatTokens = 4, kFewFloatTokens = 1;
  static constexpr int kQueryRows = 2, kScoreRegisters = 2, kValueRegisters = 2;

  struct F {
    float32x4_t v[4];  // lanes 0..3, 4..7, 8..11, 12..15
  };
  struct I {
    int32x4_t v[4];
  };
  struct B {
    uint8x16_t v[4];
  };

  template <typename Out, typename Function>
  SIMD_INLINE Out each(Function f) {
    return {f(0), f(1), f(2), f(3)};
  }

  SIMD_INLINE F set(float x) {
    return each<F>([&](int) { return vdupq_n_f32(x); });
  }
  SIMD_INLINE F zero() {
    return set(0);
  }
  SIMD_INLINE F load(const float* p) {
    return each<F>([&](int i) { return vld1q_f32(p + 4 * i); });
  }
  SIMD_INLINE void store(float* p, F x) {
    for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, x.v[i]);
  }
  // The first n lanes (n up to 16); others load as 0 and are not stored.
  SIMD_INLINE F load_first(const float* p, int64_t n) {
    if (n >= 16) return load(p);
    float lanes[16] = {};
    __builtin_memcpy(lanes, p, static_cast<size_t>(n) * sizeof(float));
    return load(lanes);
  }
  SIMD_INLINE void store_first(float* p, F x, int64_t n) {
    if (n >= 16) return store(p, x);
    float lanes[16];
    store(lanes, x);
    __builtin_memcpy(p, lanes, static_cast<size_t>(n) * sizeof(float));
  }
  SIMD_INLINE F keep_first(F x, int64_t n, F other) {
    constexpr int32_t kLanes[4] = {0, 1, 2, 3};
    const int count = n < 16 ? static_cast<int>(n) : 16;
    return each<F>([&](int i) {
      const uint32x4_t kept = vcltq_s32(vld1q_s32(kLanes), vdupq_n_s32(count - 4 * i));
      return vbslq_f32(kept, x.v[i], other.v[i]);
    });
  }
  SIMD_INLINE F add(F x, F y) {
    return each<F>([&](int i) { return vaddq_f32(x.v[i], y.v[i]); });
  }
  SIMD_INLINE F sub(F x, F y) {
    return each<F>([&](int i) { return vsubq_f32(x.v[i], y.v[i]); });
  }
  SIMD_INLINE F mul(F x, F y) {
    return each<F>([&](int i) { return vmulq_f32(x.v[i], y.v[i]); });
  }
  SIMD_INLINE F div(F x, F y) {
    return each<F>([&](int i) { return vdivq_f32(x.v[i], y.v[i]); });
  }
  SIMD_INLINE F fma(F x, F y, F z) {
    return each<F>([&](int i) { return vfmaq_f32(z.v[i], x.v[i], y.v[i]); });
  }
  // The second where either is NaN, which NEON's own do not say.
  SIMD_INLINE F max(F x, F y) {
    return each<F>([&](int i) { return vbslq_f32(vcgtq_f32(x.v[i], y.v[i]), x.v[i], y.v[i]); });
  }
  SIMD_INLINE F min(F x, F y) {
    return each<F>([&](int i) { return vbslq_f32(vcltq_f32(x.v[i], y.v[i]), x.v[i], y.v[i]); });
  }
  SIMD_INLINE float sum_lanes(F x) {
    return vaddvq_f32(vaddq_f32(vaddq_f32(x.v[0], x.v[1]), vaddq_f32(x.v[2], x.v[3])));
  }
  SIMD_INLINE float max_lanes(F x) {
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(x.v[0], x.v[1]), vmaxq_f32(x.v[2], x.v[3])));
  }
  SIMD_INLINE float min_lanes(F x) {
    return vminvq_f32(vminq_f32(vminq_f32(x.v[0], x.v[1]), vminq_f32(x.v[2], x.v[3])));
  }
  SIMD_INLINE F swap_pairs(F x) {
    return each<F>([&](int i) { return vrev64q_f32(x.v[i]); });
  }
  SIMD_INLINE F round(F x) {  // to nearest even
    return each<F>([&](int i) { return vrndnq_f32(x.v[i]); });
  }
  // x * 2^n for whole n within the exponents of normal numbers
  SIMD_INLINE F scale_by_power(F x, F n) {
    return each<F>([&](int i) {
      const int32x4_t exponent = vshlq_n_s32(vcvtnq_s32_f32(n.v[i]), 23);
      return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(x.v[i]), exponent));
    });
  }

  SIMD_INLINE F load_f16(const uint16_t* p) {
    return each<F>([&](int i) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i))); });
  }
  SIMD_INLINE void store_f16(uint16_t* p, F x) {
    for (int i = 0; i < 4; ++i) vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(x.v[i])));
  }
  SIMD_INLINE F load_bf16(const uint16_t* p) {
    return each<F>(
        [&](int i) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p + 4 * i), 16)); });
  }
  // 2^(e - 128) of 16 exponent bytes, the two smallest subnormal
  SIMD_INLINE F load_e8m0(const uint8_t* p) {
    const I bytes = load_u8(p);
    const int32x4_t one = vdupq_n_s32(1);
    return each<F>([&](int i) {
      const int32x4_t e = bytes.v[i];
      const int32x4_t normal = vshlq_n_s32(vsubq_s32(e, one), 23);
      const int32x4_t subnormal = vshlq_n_s32(vaddq_s32(vminq_s32(e, one), one), 21);
      return vreinterpretq_f32_s32(vmaxq_s32(normal, subnormal));
    });
  }

  SIMD_INLINE I set_i(int32_t x) {
    return each<I>([&](int) { return vdupq_n_s32(x); });
  }
  SIMD_INLINE I zero_i() {
    return set_i(0);
  }
  SIMD_INLINE I add_i(I x, I y) {
    return each<I>([&](int i) { return vaddq_s32(x.v[i], y.v[i]); });
  }
  SIMD_INLINE I sub_i(I x, I y) {
    return each<I>([&](int i) { return vsubq_s32(x.v[i], y.v[i]); });
  }
  // 16 bytes, widened
  SIMD_INLINE I load_u8(const uint8_t* p) {
    const uint8x16_t all = vld1q_u8(p);
    const uint16x8_t low = vmovl_u8(vget_low_u8(all)), high = vmovl_high_u8(all);
    return {vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(low))),
            vreinterpretq_s32_u32(vmovl_high_u16(low)),
            vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(high))),
            vreinterpretq_s32_u32(vmovl_high_u16(high))};
  }
  SIMD_INLINE I load_s8(const uint8_t* p) {
    const int8x16_t all = vreinterpretq_s8_u8(vld1q_u8(p));
    const int16x8_t low = vmovl_s8(vget_low_s8(all)), high = vmovl_high_s8(all);
    return {vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low), vmovl_s16(vget_low_s16(high)),
            vmovl_high_s16(high)};
  }
  // n bits from bit `from` on
  template <int from, int n>
  SIMD_INLINE I bits(I x) {
    return each<I>([&](int i) {
      int32x4_t moved = x.v[i];
      if constexpr (from > 0) moved = vshrq_n_s32(moved, from);
      return vandq_s32(moved, vdupq_n_s32((1 << n) - 1));
    });
  }
  template <int by>
  SIMD_INLINE I shift_left(I x) {
    return each<I>([&](int i) { return vshlq_n_s32(x.v[i], by); });
  }
  SIMD_INLINE I load_i(const uint8_t* p) {
    return each<I>([&](int i) { return vreinterpretq_s32_u8(vld1q_u8(p + 16 * i)); });
  }
  SIMD_INLINE void store_i(uint8_t* p, I x) {
    for (int i = 0; i < 4; ++i) vst1q_u8(p + 16 * i, vreinterpretq_u8_s32(x.v[i]));
  }
  SIMD_INLINE F to_float(I x) {
    return each<F>([&](int i) { return vcvtq_f32_s32(x.v[i]); });
  }
  SIMD_INLINE I round_to_int(F x) {  // to nearest even
    return each<I>([&](int i) { return vcvtnq_s32_f32(x.v[i]); });
  }
  SIMD_INLINE void store_i8(int8_t* p, I x) {
    const int16x8_t low = vcombine_s16(vmovn_s32(x.v[0]), vmovn_s32(x.v[1]));
    const int16x8_t high = vcombine_s16(vmovn_s32(x.v[2]), vmovn_s32(x.v[3]));
    vst1q_s8(p, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
  }
  SIMD_INLINE int32_t first_lane(I x) {
    return vgetq_lane_s32(x.v[0], 0);
  }
  SIMD_INLINE int32_t sum_lanes_i(I x) {
    return vaddvq_s32(vaddq_s32(vaddq_s32(x.v[0], x.v[1]), vaddq_s32(x.v[2], x.v[3])));
  }

  SIMD_INLINE B load_b(const uint8_t* p) {
    return each<B>([&](int i) { return vld1q_u8(p + 16 * i); });
  }
  SIMD_INLINE void store_b(uint8_t* p, B x) {
    for (int i = 0; i < 4; ++i) vst1q_u8(p + 16 * i, x.v[i]);
  }
  SIMD_INLINE B low_nibbles(B x) {
    return each<B>([&](int i) { return vandq_u8(x.v[i], vdupq_n_u8(15)); });
  }
  SIMD_INLINE B high_nibbles(B x) {
    return each<B>([&](int i) { return vshrq_n_u8(x.v[i], 4); });
  }
  // n bits of every byte, from bit `from` to bit `to`, and nothing else
  template <int from, int to, int n>
  SIMD_INLINE B move_bits(B x) {
    return each<B>([&](int i) {
      uint8x16_t moved = x.v[i];
      if constexpr (from < to) moved = vshlq_n_u8(moved, to - from);
      if constexpr (from > to) moved = vshrq_n_u8(moved, from - to);
      return vandq_u8(moved, vdupq_n_u8(((1 << n) - 1) << to));
    });
  }
  SIMD_INLINE B or_b(B x, B y) {
    return each<B>([&](int i) { return vorrq_u8(x.v[i], y.v[i]); });
  }
  SIMD_INLINE B add_b(B x, B y) {
    return each<B>([&](int i) { return vaddq_u8(x.v[i], y.v[i]); });
  }

  // Large codes are kLargeCodesLess less than stored.
  SIMD_INLINE uint8x16_t as_large_codes(uint8x16_t stored) {
    return kLargeCodesLess == 0 ? stored : veorq_u8(stored, vdupq_n_u8(128));
  }
  SIMD_INLINE B load_large_codes(const uint8_t* p) {
    return each<B>([&](int i) { return as_large_codes(vld1q_u8(p + 16 * i)); });
  }
  using Table = uint8x16_t;
  SIMD_INLINE Table load_table(const uint8_t* p) {
    return as_large_codes(vld1q_u8(p));
  }
  SIMD_INLINE B look_up(Table table, B nibbles) {
    return each<B>([&](int i) { return vqtbl1q_u8(table, nibbles.v[i]); });
  }

  // Every lane: sum += its four bytes, which are large codes or sums of small ones.
  template <bool kSmallCodes>
  SIMD_INLINE I add_bytes(I sum, B bytes) {
    return each<I>([&](int i) {
      if constexpr (!kSmallCodes && kLargeCodesLess > 0)
        return vdotq_s32(sum.v[i], vreinterpretq_s8_u8(bytes.v[i]), vdupq_n_s8(1));
      const uint32x4_t lane = vreinterpretq_u32_s32(sum.v[i]);
      return vreinterpretq_s32_u32(vdotq_u32(lane, bytes.v[i], vdupq_n_u8(1)));
    });
  }
  // Every lane: sum += the dot product of its two 16-bit halves with those of `pair`. A lane whose
  // low half is negative is high * 65536 + low, the high half being one more than it looks.
  SIMD_INLINE I dot_halves(I sum, I halves, int32_t pair) {
    const int16x4_t low_factor = vdup_n_s16(static_cast<int16_t>(pair));
    const int16x4_t high_factor = vdup_n_s16(static_cast<int16_t>(pair >> 16));
    return each<I>([&](int i) {
      const int16x4_t low = vmovn_s32(halves.v[i]), high = vrshrn_n_s32(halves.v[i], 16);
      return vmlal_s16(vmlal_s16(sum.v[i], low, low_factor), high, high_factor);
    });
  }
  // Every lane: sum += the dot product of four weight codes with the g-th four of the 16 signed
  // activation codes at x, which one load fetches for all g.
  template <bool, int g>
  SIMD_INLINE I dot(I sum, B codes, const int8_t* x) {
    const int8x16_t all = vld1q_s8(x);
    return each<I>([&](int i) {
#if defined(__ARM_FEATURE_MATMUL_INT8)
      return vusdotq_laneq_s32(sum.v[i], codes.v[i], all, g);
#else
      return vdotq_laneq_s32(sum.v[i], vreinterpretq_s8_u8(codes.v[i]), all, g);
#endif
    });
  }
};

}  // namespace
}  // namespace plumb::cpu
