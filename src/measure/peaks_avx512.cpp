// Peak kernels for AVX-512 F and VNNI.

#if defined(__x86_64__)

#include <immintrin.h>

#include "measure/peaks.h"
#include "measure/peaks_loop.h"

namespace plumb::peaks {
namespace {

struct Dot8 {
  using Sum = __m512i;
  using In = __m512i;
  static Sum zero() { return _mm512_setzero_si512(); }
  static In left() { return _mm512_set1_epi8(11); }
  static In right() { return _mm512_set1_epi8(-93); }
  static Sum step(Sum sum, In a, In b) { return _mm512_dpbusd_epi32(sum, a, b); }
};

struct F32 {
  using Sum = __m512;
  using In = __m512;
  static Sum zero() { return _mm512_setzero_ps(); }
  static In left() { return _mm512_set1_ps(0.7f); }
  static In right() { return _mm512_set1_ps(1.3f); }
  static Sum step(Sum sum, In a, In b) { return _mm512_fmadd_ps(a, b, sum); }
};

}  // namespace

const PeakKernel kAvx512Dot8{Arithmetic::dot8, "vpdpbusd, 512 bits", kChains * 64,
                             run_chains<Dot8>};
const PeakKernel kAvx512F32{Arithmetic::f32, "vfmadd, 512 bits", kChains * 16, run_chains<F32>};

}  // namespace plumb::peaks

#endif
