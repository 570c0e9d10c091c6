// Peak kernel for AVX-VNNI: the dot product of bytes on 256-bit registers.

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
  static Sum step(Sum sum, In a, In b) { return _mm256_dpbusd_avx_epi32(sum, a, b); }
};

}  // namespace

const PeakKernel kAvxVnniDot8{Arithmetic::dot8, "vpdpbusd, 256 bits", kChains * 32,
                              run_chains<Dot8>};

}  // namespace plumb::peaks

#endif
