// The kernels for AVX2, FMA and F16C.

#if defined(__x86_64__)

#include "backend/cpu/simd_avx2.h"
// the register model comes first
#include "backend/cpu/kernels_table.h"

namespace plumb::cpu {

const KernelSet& avx2_kernels() {
  return kKernels;
}

}  // namespace plumb::cpu

#endif
