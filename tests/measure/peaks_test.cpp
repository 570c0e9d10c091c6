#include "measure/peaks.h"

#include <gtest/gtest.h>

#include <set>

namespace plumb {
namespace {

// Wide bounds: what matters is the unit, and that every kernel this machine is given runs on it.
TEST(Peaks, EveryKernelOfThisMachineRunsAtAPlausibleRate) {
  std::set<Arithmetic> seen;
  for (const PeakKernel& kernel : peak_kernels()) {
    EXPECT_TRUE(seen.insert(kernel.arithmetic).second) << "one of each";
    EXPECT_FALSE(kernel.instruction.empty());
    const double rate = measure_peak(kernel, 1, std::chrono::milliseconds(5));
    EXPECT_GT(rate, 1e7) << arithmetic_name(kernel.arithmetic);
    EXPECT_LT(rate, 1e13) << arithmetic_name(kernel.arithmetic) << ": was the loop left out?";
  }
  EXPECT_TRUE(seen.contains(Arithmetic::dot8) && seen.contains(Arithmetic::f32));
}

TEST(Peaks, ThreadsAddUp) {
  const PeakKernel kernel = peaks::kPortableF32;
  EXPECT_GT(measure_peak(kernel, 3, std::chrono::milliseconds(5)), 1e7);
}

// No unit finishes more of these per cycle, at any clock there is, than 4 of 64 bytes at 10 GHz.
TEST(Peaks, RoundsAreNotLeftOut) {
  for (const PeakKernel& kernel : peak_kernels()) {
    const double per_second = measure_peak(kernel, 1, std::chrono::milliseconds(5));
    const double per_instruction = static_cast<double>(kernel.macs_per_round) / 12;
    EXPECT_LT(per_second / per_instruction, 4e10) << kernel.instruction;
  }
}

}  // namespace
}  // namespace plumb
