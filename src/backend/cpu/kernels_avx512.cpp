// The kernels for AVX-512 F, BW, DQ, VL and VNNI.

#if defined(__x86_64__)

#include "backend/cpu/simd_avx512.h"
// the register model comes first
#include "backend/cpu/kernels_table.h"

namespace plumb::cpu {

const KernelSet& avx512_kernels() {
  return kKernels;
}

}  // namespace plumb::cpu

#endif
