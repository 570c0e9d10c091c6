// Peak kernel for AVX-512 BF16.

#if defined(__x86_64__)

#include <immintrin.h>

#include "measure/peaks.h"
#include "measure/peaks_loop.h"

namespace plumb::peaks {
namespace {

struct Bf16 {
  using Sum = __m512;
  using In = __m512bh;
  static Sum zero() { return _mm512_setzero_ps(); }
  static In left() { return _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.7f), _mm512_set1_ps(0.8f)); }
  static In right() { return _mm512_cvtne2ps_pbh(_mm512_set1_ps(1.3f), _mm512_set1_ps(1.1f)); }
  static Sum step(Sum sum, In a, In b) { return _mm512_dpbf16_ps(sum, a, b); }
};

}  // namespace

const PeakKernel kAvx512Bf16{Arithmetic::bf16, "vdpbf16ps, 512 bits", kChains * 32,
                             run_chains<Bf16>};

}  // namespace plumb::peaks

#endif
