#pragma once
// The loop that all peak kernels share. Included by files compiled for one instruction set each, so
// that everything here is in an unnamed namespace.

#include <cstdint>

namespace plumb::peaks {
namespace {

// Enough to fill two units of latency five; with their operands they fit into 16 registers.
constexpr int kChains = 12;

// The compiler must believe that the value changes here.
template <typename Register>
inline __attribute__((always_inline)) void hide(Register& r) {
#if defined(__AVX512F__)
  asm volatile("" : "+v"(r));
#elif defined(__x86_64__)
  asm volatile("" : "+x"(r));
#endif
}

// Unit: Sum and In (register types), zero(), left(), right() and step(sum, left, right).
template <typename Unit>
void run_chains(int64_t rounds) {
  typename Unit::Sum sums[kChains];
  for (auto& sum : sums) sum = Unit::zero();
  typename Unit::In a = Unit::left(), b = Unit::right();
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (auto& sum : sums) {
      hide(a);  // or a product would be computed once for all
      sum = Unit::step(sum, a, b);
    }
  }
  for (auto& sum : sums) hide(sum);
}

}  // namespace
}  // namespace plumb::peaks
