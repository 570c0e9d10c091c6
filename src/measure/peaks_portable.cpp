// Peak kernels in plain C++, as the compiler makes them for the base machine: the limit of the
// backend's portable kernels, not of a machine with instructions that plumb does not use.

#include "measure/peaks.h"

namespace plumb::peaks {
namespace {

constexpr int kLanes = 64;

template <typename In, typename Sum>
void run(int64_t rounds) {
  In a[kLanes], b[kLanes];
  Sum sums[kLanes] = {};
  for (int i = 0; i < kLanes; ++i) {
    a[i] = static_cast<In>(i + 1);
    b[i] = static_cast<In>(kLanes - i);
  }
  for (int64_t r = 0; r < rounds; ++r) {
    for (int i = 0; i < kLanes; ++i)
      sums[i] = static_cast<Sum>(sums[i] + static_cast<Sum>(a[i]) * static_cast<Sum>(b[i]));
    asm volatile("" : : "r"(a), "r"(b), "r"(sums) : "memory");
  }
}

}  // namespace

// Unsigned sums wrap.
const PeakKernel kPortableDot8{Arithmetic::dot8, "plain C++", kLanes, run<int8_t, uint32_t>};
const PeakKernel kPortableF32{Arithmetic::f32, "plain C++", kLanes, run<float, float>};

}  // namespace plumb::peaks
