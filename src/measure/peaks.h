#pragma once
// How fast this machine multiplies and adds when nothing has to be loaded: the limit of reading a
// prompt, where every weight meets many tokens. One kernel per kind of arithmetic and instruction
// set, compiled for that set in peaks_*.cpp: independent chains of the one instruction on
// registers.

#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

namespace plumb {

enum class Arithmetic {
  dot8,  // products of 8-bit integers summed in 32 bits: quantised weights
  bf16,  // products of bfloat16 pairs summed in f32
  f32    // fused multiply-adds
};
std::string_view arithmetic_name(Arithmetic arithmetic);  // "dot8", "bf16", "f32"

struct PeakKernel {
  Arithmetic arithmetic;
  std::string_view instruction;  // "vpdpbusd, 512 bits"
  int64_t macs_per_round;        // multiply-adds
  void (*run)(int64_t rounds);
};

// The widest kernel that this machine can run of each arithmetic that it has instructions for: dot8
// and f32 always, bf16 sometimes.
std::vector<PeakKernel> peak_kernels();

// Multiply-adds per second of all threads together: the best pass of about 2 ms of those that fit
// into the time, at least two.
double measure_peak(const PeakKernel& kernel, int n_threads,
                    std::chrono::milliseconds time = std::chrono::milliseconds(30));

namespace peaks {
#if defined(__x86_64__)
extern const PeakKernel kAvx2Dot8, kAvx2F32, kAvxVnniDot8, kAvx512Dot8, kAvx512F32, kAvx512Bf16;
#endif
extern const PeakKernel kPortableDot8, kPortableF32;
}  // namespace peaks

}  // namespace plumb
