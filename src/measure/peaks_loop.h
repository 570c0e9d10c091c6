#pragma once
// The loop that all peak kernels share. Included by files compiled for one instruction set each, so
// that everything here is in an unnamed namespace.

#include <cstdint>
#include <utility>

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
template <typename Unit, int... chain>
inline __attribute__((always_inline)) void run_round(typename Unit::Sum* sums, typename Unit::In& a,
                                                     typename Unit::In& b,
                                                     std::integer_sequence<int, chain...>) {
  // or a product would be computed once for all
  ((hide(a), sums[chain] = Unit::step(sums[chain], a, b)), ...);
}

template <typename Unit>
void run_chains(int64_t rounds) {
  typename Unit::Sum sums[kChains];
  for (auto& sum : sums) sum = Unit::zero();
  typename Unit::In a = Unit::left(), b = Unit::right();
  for (int64_t r = 0; r < rounds; ++r)
    run_round<Unit>(sums, a, b, std::make_integer_sequence<int, kChains>());
  for (auto& sum : sums) hide(sum);
}

}  // namespace
}  // namespace plumb::peaks
