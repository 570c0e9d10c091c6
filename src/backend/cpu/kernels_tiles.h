// What all matrix and attention kernels share: the registers by name, tiles of as many rows or
// tokens as there are, and where a matrix kernel puts its sums. Included by kernels_table.h after
// kernels_rows.h.

#include <array>
#include <utility>

#include "backend/cpu/kernels.h"

namespace plumb::cpu {
namespace {

// Far enough ahead to hide memory, near enough to stay in the first-level cache.
constexpr int kPrefetchBytes = 4096;

template <CacheLevel kTo>
SIMD_INLINE void prefetch(const void* at) {
  if constexpr (kTo != CacheLevel::none)
    __builtin_prefetch(at, 0, kTo == CacheLevel::first ? 3 : 2);
}

// f<N>(at) for tiles of N of the items [at, end): as many of the largest as there are, then one of
// what remains.
template <int N, typename Function>
SIMD_INLINE void in_tiles(int64_t at, int64_t end, Function f) {
  for (; at + N <= end; at += N) f.template operator()<N>(at);
  if constexpr (N > 1)
    if (at < end) in_tiles<N - 1>(at, end, f);
}

// The same with tiles of N, then of half as many, and so on; N is a power of two.
template <int N, typename Function>
SIMD_INLINE void in_halving_tiles(int64_t at, int64_t end, Function f) {
  for (; at + N <= end; at += N) f.template operator()<N>(at);
  if constexpr (N > 1)
    if (at < end) in_halving_tiles<N / 2>(at, end, f);
}

// Puts the sums of a panel and a token where they belong. n is the number of rows that exist.
SIMD_INLINE void put(F sum, const Matrix& matrix, int64_t panel, const Output& output,
                     int64_t token) {
  const int64_t row = panel * kPanelRows, n = matrix.rows - row;
  const int64_t at = output.rows ? output.rows[token] : token;
  float* to = output.to + at * output.stride + row;
  if (matrix.bias) sum = Simd::add(sum, Simd::load(matrix.bias + row));
  if (output.weights) sum = Simd::mul(sum, Simd::set(output.weights[token]));
  if (output.into == Into::add) sum = Simd::add(Simd::load_first(to, n), sum);
  if (output.into == Into::gate_silu) sum = Simd::mul(silu(Simd::load_first(to, n)), sum);
  if (output.into == Into::gate_gelu) sum = Simd::mul(gelu(Simd::load_first(to, n)), sum);
  if (output.into == Into::gate_clamped) sum = clamped_swiglu(Simd::load_first(to, n), sum);
  Simd::store_first(to, sum, n);
}

}  // namespace
}  // namespace plumb::cpu
