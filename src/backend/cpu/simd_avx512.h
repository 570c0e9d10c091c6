// The register model of kernels_*.h on AVX-512 (F, BW, VL, VNNI): one 512-bit register is 16 lanes.
// Included by one source file only, which is compiled for that set.

#include <immintrin.h>

#include <cstdint>

namespace plumb::cpu {
namespace {

#define SIMD_INLINE static inline __attribute__((always_inline))
#define SIMD_METHOD inline __attribute__((always_inline))

struct Simd {
  static constexpr const char* kName = "avx512";
  static constexpr const char* kDotLabel = "vnni";
  // Register tiles: panels and tokens of the wide kernels of codes, tokens of the narrow ones and
  // of those of numbers (also when there are few), rows of queries and registers in attention.
  static constexpr int kWidePanels = 2, kWideTokens = 4;
  static constexpr int kNarrowTokens[] = {8, 4};  // by the scales of a block
  // From this many tokens on, expanding a panel once is cheaper than unpacking it for every tile.
  static constexpr int64_t kWideFrom = 25;
  static constexpr int kFloatTokens = 8, kFewFloatTokens = 4;
  static constexpr int kQueryRows = 4, kScoreRegisters = 4, kValueRegisters = 4;

  using F = __m512;   // 16 floats
  using I = __m512i;  // 16 32-bit integers
  using B = __m512i;  // 16 lanes of 4 bytes

  SIMD_INLINE F zero() { return _mm512_setzero_ps(); }
  SIMD_INLINE F set(float x) { return _mm512_set1_ps(x); }
  SIMD_INLINE F load(const float* p) { return _mm512_loadu_ps(p); }
  SIMD_INLINE void store(float* p, F x) { _mm512_storeu_ps(p, x); }
  SIMD_INLINE __mmask16 first(int64_t n) {
    return static_cast<__mmask16>(n >= 16 ? 0xffff : (1u << n) - 1);
  }
  // The first n lanes (n up to 16); others load as 0 and are not stored.
  SIMD_INLINE F load_first(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(first(n), p); }
  SIMD_INLINE void store_first(float* p, F x, int64_t n) { _mm512_mask_storeu_ps(p, first(n), x); }
  SIMD_INLINE F keep_first(F x, int64_t n, F other) {
    return _mm512_mask_blend_ps(first(n), other, x);
  }
  SIMD_INLINE F add(F a, F b) { return _mm512_add_ps(a, b); }
  SIMD_INLINE F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  SIMD_INLINE F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  SIMD_INLINE F div(F a, F b) { return _mm512_div_ps(a, b); }
  SIMD_INLINE F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  SIMD_INLINE F max(F a, F b) { return _mm512_max_ps(a, b); }  // b where either is NaN
  SIMD_INLINE F min(F a, F b) { return _mm512_min_ps(a, b); }  // b where either is NaN
  SIMD_INLINE float sum_lanes(F a) { return _mm512_reduce_add_ps(a); }
  SIMD_INLINE float max_lanes(F a) { return _mm512_reduce_max_ps(a); }
  SIMD_INLINE float min_lanes(F a) { return _mm512_reduce_min_ps(a); }
  SIMD_INLINE F swap_pairs(F a) { return _mm512_permute_ps(a, 0xb1); }
  SIMD_INLINE F round(F a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  // a * 2^n for whole n within the exponents of normal numbers
  SIMD_INLINE F scale_by_power(F a, F n) {
    return _mm512_castsi512_ps(
        _mm512_add_epi32(_mm512_castps_si512(a), _mm512_slli_epi32(_mm512_cvtps_epi32(n), 23)));
  }

  SIMD_INLINE F load_f16(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  SIMD_INLINE void store_f16(uint16_t* p, F x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  SIMD_INLINE F load_bf16(const uint16_t* p) {
    const __m512i wide =
        _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
  }
  // 2^(e - 128) of 16 exponent bytes, the two smallest subnormal
  SIMD_INLINE F load_e8m0(const uint8_t* p) {
    const __m512i e = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    const __m512i one = _mm512_set1_epi32(1);
    const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, one), 23);
    const __m512i subnormal =
        _mm512_slli_epi32(_mm512_add_epi32(_mm512_min_epi32(e, one), one), 21);
    return _mm512_castsi512_ps(_mm512_max_epi32(normal, subnormal));
  }

  SIMD_INLINE I zero_i() { return _mm512_setzero_si512(); }
  SIMD_INLINE I set_i(int32_t x) { return _mm512_set1_epi32(x); }
  SIMD_INLINE I add_i(I a, I b) { return _mm512_add_epi32(a, b); }
  SIMD_INLINE I load_i(const uint8_t* p) { return _mm512_loadu_si512(p); }
  SIMD_INLINE void store_i(uint8_t* p, I x) { _mm512_storeu_si512(p, x); }
  // 16 bytes, widened
  SIMD_INLINE I load_u8(const uint8_t* p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  SIMD_INLINE I load_s8(const uint8_t* p) {
    return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  // n bits from bit `from` on
  template <int from, int n>
  SIMD_INLINE I bits(I x) {
    return _mm512_and_si512(_mm512_srli_epi32(x, from), _mm512_set1_epi32((1 << n) - 1));
  }
  template <int by>
  SIMD_INLINE I shift_left(I x) {
    return _mm512_slli_epi32(x, by);
  }
  SIMD_INLINE I sub_i(I a, I b) { return _mm512_sub_epi32(a, b); }
  SIMD_INLINE F to_float(I a) { return _mm512_cvtepi32_ps(a); }
  SIMD_INLINE I round_to_int(F a) { return _mm512_cvtps_epi32(a); }  // to nearest even
  SIMD_INLINE void store_i8(int8_t* p, I a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a));
  }
  SIMD_INLINE int32_t first_lane(I a) { return _mm_cvtsi128_si32(_mm512_castsi512_si128(a)); }
  SIMD_INLINE int32_t sum_lanes_i(I a) { return _mm512_reduce_add_epi32(a); }

  SIMD_INLINE B load_b(const uint8_t* p) { return _mm512_loadu_si512(p); }
  // What small codes have no need of: taken as they are stored less this.
  static constexpr int kLargeCodesLess = 0;
  SIMD_INLINE B load_large_codes(const uint8_t* p) { return load_b(p); }
  SIMD_INLINE void store_b(uint8_t* p, B x) { _mm512_storeu_si512(p, x); }
  SIMD_INLINE B low_nibbles(B x) { return _mm512_and_si512(x, _mm512_set1_epi8(15)); }
  SIMD_INLINE B high_nibbles(B x) {
    return _mm512_and_si512(_mm512_srli_epi16(x, 4), _mm512_set1_epi8(15));
  }
  // n bits of every byte, from bit `from` to bit `to`, and nothing else
  template <int from, int to, int n>
  SIMD_INLINE B move_bits(B x) {
    if constexpr (from < to) x = _mm512_slli_epi16(x, to - from);
    if constexpr (from > to) x = _mm512_srli_epi16(x, from - to);
    return _mm512_and_si512(x, _mm512_set1_epi8(static_cast<char>(((1 << n) - 1) << to)));
  }
  SIMD_INLINE B or_b(B a, B b) { return _mm512_or_si512(a, b); }
  using Table = __m512i;  // 16 bytes, repeated in every 128 bits
  SIMD_INLINE Table load_table(const uint8_t* p) {
    return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
  }
  SIMD_INLINE B look_up(Table table, B nibbles) { return _mm512_shuffle_epi8(table, nibbles); }
  SIMD_INLINE B add_b(B a, B b) { return _mm512_add_epi8(a, b); }
  // Every lane: sum += its four bytes.
  template <bool>
  SIMD_INLINE I add_bytes(I sum, B bytes) {
    return _mm512_dpbusd_epi32(sum, bytes, _mm512_set1_epi8(1));
  }
  // Every lane: sum += the dot product of its two 16-bit halves with those of `pair`.
  SIMD_INLINE I dot_halves(I sum, I halves, int32_t pair) {
    return _mm512_dpwssd_epi32(sum, halves, _mm512_set1_epi32(pair));
  }
  // Every lane: sum += the dot product of four unsigned weight codes with the g-th four signed
  // activation codes at x.
  template <bool, int g>
  SIMD_INLINE I dot(I sum, B codes, const int8_t* x) {
    int32_t four;
    __builtin_memcpy(&four, x + 4 * g, 4);
    return _mm512_dpbusd_epi32(sum, codes, _mm512_set1_epi32(four));
  }
};

}  // namespace
}  // namespace plumb::cpu
