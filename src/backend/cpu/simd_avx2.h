// The register model of kernels_*.h on AVX2 with FMA and F16C: two 256-bit registers are 16 lanes.
// With AVX-VNNI the same model has its dot product. Included by one source file per set, which is
// compiled for that set.

#include <immintrin.h>

#include <cstdint>

namespace plumb::cpu {
namespace {

#define SIMD_INLINE static inline __attribute__((always_inline))
#define SIMD_METHOD inline __attribute__((always_inline))

struct Simd {
#if defined(__AVXVNNI__)
  static constexpr const char* kName = "avxvnni";
  static constexpr const char* kDotLabel = "vnni";
#else
  static constexpr const char* kName = "avx2";
  static constexpr const char* kDotLabel = "maddubs";
#endif
  static constexpr int kWidePanels = 1, kWideTokens = 4;
  static constexpr int kNarrowTokens[] = {2, 2};  // by the scales of a block
  // From this many tokens on, expanding a panel once is cheaper than unpacking it for every tile.
  static constexpr int64_t kWideFrom = 12;
  static constexpr int kFloatTokens = 4, kFewFloatTokens = 1;
  static constexpr int kQueryRows = 2, kScoreRegisters = 2, kValueRegisters = 2;

  struct F {
    __m256 a, b;  // lanes 0..7 and 8..15
  };
  struct I {
    __m256i a, b;
  };
  using B = I;

  SIMD_INLINE F set(float x) {
    return {_mm256_set1_ps(x), _mm256_set1_ps(x)};
  }
  SIMD_INLINE F zero() {
    return {_mm256_setzero_ps(), _mm256_setzero_ps()};
  }
  SIMD_INLINE F load(const float* p) {
    return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
  }
  SIMD_INLINE void store(float* p, F x) {
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
  }
  // All ones in the first n lanes.
  SIMD_INLINE I first(int64_t n) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const int count = n < 16 ? static_cast<int>(n) : 16;
    return {_mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes),
            _mm256_cmpgt_epi32(_mm256_set1_epi32(count - 8), lanes)};
  }
  // The first n lanes (n up to 16); others load as 0 and are not stored.
  SIMD_INLINE F load_first(const float* p, int64_t n) {
    if (n >= 16) return load(p);
    const I mask = first(n);
    return {_mm256_maskload_ps(p, mask.a), _mm256_maskload_ps(p + 8, mask.b)};
  }
  SIMD_INLINE void store_first(float* p, F x, int64_t n) {
    if (n >= 16) return store(p, x);
    const I mask = first(n);
    _mm256_maskstore_ps(p, mask.a, x.a);
    _mm256_maskstore_ps(p + 8, mask.b, x.b);
  }
  SIMD_INLINE F keep_first(F x, int64_t n, F other) {
    const I mask = first(n);
    return {_mm256_blendv_ps(other.a, x.a, _mm256_castsi256_ps(mask.a)),
            _mm256_blendv_ps(other.b, x.b, _mm256_castsi256_ps(mask.b))};
  }
  SIMD_INLINE F add(F x, F y) {
    return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
  }
  SIMD_INLINE F sub(F x, F y) {
    return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)};
  }
  SIMD_INLINE F mul(F x, F y) {
    return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
  }
  SIMD_INLINE F div(F x, F y) {
    return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)};
  }
  SIMD_INLINE F fma(F x, F y, F z) {
    return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
  }
  // The second where either is NaN.
  SIMD_INLINE F max(F x, F y) {
    return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)};
  }
  SIMD_INLINE F min(F x, F y) {
    return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)};
  }
  SIMD_INLINE float sum_lanes(F x) {
    const __m256 eight = _mm256_add_ps(x.a, x.b);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
  }
  SIMD_INLINE float max_lanes(F x) {
    const __m256 eight = _mm256_max_ps(x.a, x.b);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
  }
  SIMD_INLINE float min_lanes(F x) {
    const __m256 eight = _mm256_min_ps(x.a, x.b);
    __m128 four = _mm_min_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_min_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_min_ss(four, _mm_movehdup_ps(four)));
  }
  SIMD_INLINE F swap_pairs(F x) {
    return {_mm256_permute_ps(x.a, 0xb1), _mm256_permute_ps(x.b, 0xb1)};
  }
  SIMD_INLINE F round(F x) {
    constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    return {_mm256_round_ps(x.a, kNearest), _mm256_round_ps(x.b, kNearest)};
  }
  // x * 2^n for whole n within the exponents of normal numbers
  SIMD_INLINE F scale_by_power(F x, F n) {
    const auto half = [](__m256 value, __m256 power) {
      const __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(power), 23);
      return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(value), exponent));
    };
    return {half(x.a, n.a), half(x.b, n.b)};
  }

  SIMD_INLINE __m128i load_16_bytes(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
  }
  SIMD_INLINE F load_f16(const uint16_t* p) {
    return {_mm256_cvtph_ps(load_16_bytes(p)), _mm256_cvtph_ps(load_16_bytes(p + 8))};
  }
  SIMD_INLINE void store_f16(uint16_t* p, F x) {
    constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x.a, kNearest));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), _mm256_cvtps_ph(x.b, kNearest));
  }
  SIMD_INLINE F load_bf16(const uint16_t* p) {
    const auto half = [](const uint16_t* from) {
      const __m256i wide = _mm256_cvtepu16_epi32(load_16_bytes(from));
      return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
    };
    return {half(p), half(p + 8)};
  }
  // 2^(e - 128) of 16 exponent bytes, the two smallest subnormal
  SIMD_INLINE F load_e8m0(const uint8_t* p) {
    const auto half = [](__m128i bytes) {
      const __m256i e = _mm256_cvtepu8_epi32(bytes), one = _mm256_set1_epi32(1);
      const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, one), 23);
      const __m256i subnormal =
          _mm256_slli_epi32(_mm256_add_epi32(_mm256_min_epi32(e, one), one), 21);
      return _mm256_castsi256_ps(_mm256_max_epi32(normal, subnormal));
    };
    const __m128i all = load_16_bytes(p);
    return {half(all), half(_mm_srli_si128(all, 8))};
  }

  SIMD_INLINE I zero_i() {
    return {_mm256_setzero_si256(), _mm256_setzero_si256()};
  }
  SIMD_INLINE I set_i(int32_t x) {
    return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
  }
  SIMD_INLINE I add_i(I x, I y) {
    return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)};
  }
  SIMD_INLINE I sub_i(I x, I y) {
    return {_mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b)};
  }
  // 16 bytes, widened
  SIMD_INLINE I load_u8(const uint8_t* p) {
    const __m128i all = load_16_bytes(p);
    return {_mm256_cvtepu8_epi32(all), _mm256_cvtepu8_epi32(_mm_srli_si128(all, 8))};
  }
  SIMD_INLINE I load_s8(const uint8_t* p) {
    const __m128i all = load_16_bytes(p);
    return {_mm256_cvtepi8_epi32(all), _mm256_cvtepi8_epi32(_mm_srli_si128(all, 8))};
  }
  // n bits from bit `from` on
  template <int from, int n>
  SIMD_INLINE I bits(I x) {
    const __m256i mask = _mm256_set1_epi32((1 << n) - 1);
    return {_mm256_and_si256(_mm256_srli_epi32(x.a, from), mask),
            _mm256_and_si256(_mm256_srli_epi32(x.b, from), mask)};
  }
  template <int by>
  SIMD_INLINE I shift_left(I x) {
    return {_mm256_slli_epi32(x.a, by), _mm256_slli_epi32(x.b, by)};
  }
  SIMD_INLINE I load_i(const uint8_t* p) {
    return load_b(p);
  }
  SIMD_INLINE void store_i(uint8_t* p, I x) {
    store_b(p, x);
  }
  SIMD_INLINE F to_float(I x) {
    return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)};
  }
  SIMD_INLINE I round_to_int(F x) {  // to nearest even
    return {_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)};
  }
  SIMD_INLINE void store_i8(int8_t* p, I x) {
    const __m256i words =
        _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), _MM_SHUFFLE(3, 1, 2, 0));
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(p),
        _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
  }
  SIMD_INLINE int32_t first_lane(I x) {
    return _mm_cvtsi128_si32(_mm256_castsi256_si128(x.a));
  }
  SIMD_INLINE int32_t sum_lanes_i(I x) {
    const __m256i eight = _mm256_add_epi32(x.a, x.b);
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    four = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 1)));
  }

  SIMD_INLINE B load_b(const uint8_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
  }
  static constexpr int kLargeCodesLess = 0;
  SIMD_INLINE B load_large_codes(const uint8_t* p) {
    return load_b(p);
  }
  SIMD_INLINE void store_b(uint8_t* p, B x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.a);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), x.b);
  }
  SIMD_INLINE B low_nibbles(B x) {
    const __m256i mask = _mm256_set1_epi8(15);
    return {_mm256_and_si256(x.a, mask), _mm256_and_si256(x.b, mask)};
  }
  SIMD_INLINE B high_nibbles(B x) {
    return low_nibbles({_mm256_srli_epi16(x.a, 4), _mm256_srli_epi16(x.b, 4)});
  }
  // n bits of every byte, from bit `from` to bit `to`, and nothing else
  template <int from, int to, int n>
  SIMD_INLINE B move_bits(B x) {
    const auto half = [](__m256i bytes) {
      if constexpr (from < to) bytes = _mm256_slli_epi16(bytes, to - from);
      if constexpr (from > to) bytes = _mm256_srli_epi16(bytes, from - to);
      return _mm256_and_si256(bytes, _mm256_set1_epi8(static_cast<char>(((1 << n) - 1) << to)));
    };
    return {half(x.a), half(x.b)};
  }
  SIMD_INLINE B or_b(B x, B y) {
    return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)};
  }
  using Table = __m256i;  // 16 bytes, twice
  SIMD_INLINE Table load_table(const uint8_t* p) {
    return _mm256_broadcastsi128_si256(load_16_bytes(p));
  }
  SIMD_INLINE B look_up(Table table, B nibbles) {
    return {_mm256_shuffle_epi8(table, nibbles.a), _mm256_shuffle_epi8(table, nibbles.b)};
  }
  SIMD_INLINE B add_b(B x, B y) {
    return {_mm256_add_epi8(x.a, y.a), _mm256_add_epi8(x.b, y.b)};
  }

  // Products of unsigned and signed bytes, four to a lane, added to the lane. Pairs add up in 16
  // bits on the way, which holds them when the unsigned ones are below 128.
  SIMD_INLINE __m256i dot_8(__m256i sum, __m256i bytes, __m256i x) {
#if defined(__AVXVNNI__)
    return _mm256_dpbusd_avx_epi32(sum, bytes, x);
#else
    const __m256i pairs = _mm256_maddubs_epi16(bytes, x);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#endif
  }
  // The same for all bytes: even and odd ones as 16-bit numbers.
  SIMD_INLINE __m256i dot_8_large(__m256i sum, __m256i bytes, __m256i x) {
#if defined(__AVXVNNI__)
    return _mm256_dpbusd_avx_epi32(sum, bytes, x);
#else
    const __m256i even = _mm256_and_si256(bytes, _mm256_set1_epi16(255));
    const __m256i odd = _mm256_srli_epi16(bytes, 8);
    const __m256i x_even = _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8);
    const __m256i x_odd = _mm256_srai_epi16(x, 8);
    return _mm256_add_epi32(
        sum, _mm256_add_epi32(_mm256_madd_epi16(even, x_even), _mm256_madd_epi16(odd, x_odd)));
#endif
  }
  // Every lane: sum += its four bytes.
  template <bool>
  SIMD_INLINE I add_bytes(I sum, B bytes) {
    const __m256i ones = _mm256_set1_epi8(1);
    return {dot_8(sum.a, bytes.a, ones), dot_8(sum.b, bytes.b, ones)};
  }
  // Every lane: sum += the dot product of its two 16-bit halves with those of `pair`.
  SIMD_INLINE I dot_halves(I sum, I halves, int32_t pair) {
    const __m256i x = _mm256_set1_epi32(pair);
    return {_mm256_add_epi32(sum.a, _mm256_madd_epi16(halves.a, x)),
            _mm256_add_epi32(sum.b, _mm256_madd_epi16(halves.b, x))};
  }
  // Every lane: sum += the dot product of four unsigned weight codes (below 128 when they are
  // small) with the g-th four signed activation codes at x.
  template <bool kSmallCodes, int g>
  SIMD_INLINE I dot(I sum, B codes, const int8_t* x) {
    int32_t four;
    __builtin_memcpy(&four, x + 4 * g, 4);
    const __m256i all = _mm256_set1_epi32(four);
    if constexpr (kSmallCodes) return {dot_8(sum.a, codes.a, all), dot_8(sum.b, codes.b, all)};
    return {dot_8_large(sum.a, codes.a, all), dot_8_large(sum.b, codes.b, all)};
  }
};

}  // namespace
}  // namespace plumb::cpu
