// The kernels for the dot products of NEON and of I8MM.

#if defined(__aarch64__)

#include "backend/cpu/simd_neon.h"
// the register model comes first
#include "backend/cpu/kernels_table.h"

namespace plumb::cpu {

const KernelSet& neon_i8mm_kernels() {
  return kKernels;
}

}  // namespace plumb::cpu

#endif
