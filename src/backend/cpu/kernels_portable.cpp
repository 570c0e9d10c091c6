// The kernels in plain C++.

#include "backend/cpu/simd_portable.h"
// the register model comes first
#include "backend/cpu/kernels_table.h"

namespace plumb::cpu {

const KernelSet& portable_kernels() {
  return kKernels;
}

}  // namespace plumb::cpu
