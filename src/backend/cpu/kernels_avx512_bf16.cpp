// The kernels for AVX-512 with its bfloat16 instructions: those of AVX-512 and one more.

#if defined(__x86_64__)

#include "backend/cpu/simd_avx512.h"
// the register model comes first
#include "backend/cpu/kernels_rows.h"
// then what matrix kernels share
#include "backend/cpu/kernels_tiles.h"
// and their users
#include "backend/cpu/kernels_numbers.h"

namespace plumb::cpu {
namespace {

// Two columns at once: their 16 rows of weights, [2][16] in the panel, side by side as [16][2].
struct Bf16Pairs {
  using Pairs = __m512bh;                          // 16 lanes of two bfloat16
  static constexpr int kColumns = 2, kBytes = 32;  // bytes of one
  SIMD_INLINE const uint16_t* values(const Activations& x) { return x.rounded; }
  SIMD_INLINE int64_t stride(const Activations& x) { return x.rounded_columns(); }
  SIMD_INLINE Pairs load(const uint8_t* p) {
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i other = _mm512_slli_epi32(_mm512_add_epi32(lanes, _mm512_set1_epi32(16)), 16);
    const __m512i order = _mm512_or_si512(lanes, other);
    return reinterpret_cast<Pairs>(_mm512_permutexvar_epi16(order, _mm512_loadu_si512(p)));
  }
  // One column, and zeros.
  SIMD_INLINE Pairs load_last(const uint8_t* p) {
    return reinterpret_cast<Pairs>(
        _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
  }
  // Every lane: sum += the dot product of its pair with the two values at x; subnormal numbers
  // count as zero.
  SIMD_INLINE F multiply(Pairs w, const uint16_t* x, F sum) {
    int32_t two;
    __builtin_memcpy(&two, x, 4);
    return _mm512_dpbf16_ps(sum, w, reinterpret_cast<Pairs>(_mm512_set1_epi32(two)));
  }
};

// To nearest even.
void round_row(const float* values, const Activations& to, int64_t row) {
  uint16_t* out = to.rounded + row * to.rounded_columns();
  for (int64_t i = 0; i < to.columns; i += 16) {
    const int64_t n = to.columns - i;
    const __m256bh rounded = _mm512_cvtneps_pbh(Simd::load_first(values + i, n));
    _mm256_mask_storeu_epi16(out + i, Simd::first(n), reinterpret_cast<__m256i>(rounded));
  }
  if (to.columns % 2 == 1) out[to.columns] = 0;
}

KernelSet with_bf16(KernelSet set) {
  set.name = "avx512-bf16";
  set.round = round_row;
  for (FormatKernel& f : set.formats)
    if (f.format == Format::bf16)
      f = {.format = f.format,
           .multiply = multiply_numbers<Bf16Pairs>,
           .label = "bf16",
           .reads_rounded = true};
  return set;
}

}  // namespace

const KernelSet& avx512_bf16_kernels() {
  static const KernelSet set = with_bf16(avx512_kernels());
  return set;
}

}  // namespace plumb::cpu

#endif
