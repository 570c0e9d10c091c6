// Peak kernels for AVX2 and FMA, which has no dot product of bytes in one instruction: what the CPU
// backend runs in its place counts.

#if defined(__x86_64__)

#include <immintrin.h>

#include "measure/peaks.h"
#include "measure/peaks_loop.h"

namespace plumb::peaks {
namespace {

struct Dot8 {
  using Sum = __m256i;
  using In = __m256i;
  static Sum zero() { return _mm256_setzero_si256(); }
  static In left() { return _mm256_set1_epi8(11); }
  static In right() { return _mm256_set1_epi8(-93); }
  static Sum step(Sum sum, In a, In b) {
    const __m256i pairs = _mm256_maddubs_epi16(a, b);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
};

struct F32 {
  using Sum = __m256;
  using In = __m256;
  static Sum zero() { return _mm256_setzero_ps(); }
  static In left() { return _mm256_set1_ps(0.7f); }
  static In right() { return _mm256_set1_ps(1.3f); }
  static Sum step(Sum sum, In a, In b) { return _mm256_fmadd_ps(a, b, sum); }
};

}  // namespace

const PeakKernel kAvx2Dot8{Arithmetic::dot8, "vpmaddubsw + vpmaddwd, 256 bits", kChains * 32,
                           run_chains<Dot8>};
const PeakKernel kAvx2F32{Arithmetic::f32, "vfmadd, 256 bits", kChains * 8, run_chains<F32>};

}  // namespace plumb::peaks

#endif
