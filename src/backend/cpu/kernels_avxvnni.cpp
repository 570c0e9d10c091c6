// The kernels for AVX2, FMA, F16C and AVX-VNNI.

#if defined(__x86_64__)

#include "backend/cpu/simd_avx2.h"
// the register model comes first
#include "backend/cpu/kernels_table.h"

namespace plumb::cpu {

const KernelSet& avxvnni_kernels() {
  return kKernels;
}

}  // namespace plumb::cpu

#endif
