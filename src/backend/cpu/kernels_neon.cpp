// The kernels for the dot product of NEON (Armv8.2 DotProd).

#if defined(__aarch64__)

#include "backend/cpu/simd_neon.h"
// the register model comes first
#include "backend/cpu/kernels_table.h"

namespace plumb::cpu {

const KernelSet& neon_kernels() {
  return kKernels;
}

}  // namespace plumb::cpu

#endif
