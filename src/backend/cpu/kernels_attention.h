// Attention kernels over the register model: one page of the cache against some rows of queries.
// Included by each kernels_*.cpp after its simd_*.h and kernels_rows.h.
//
// Scores add up over the head's dimensions in order, values over positions in order: one chain of
// multiply-adds per output, whatever the number of rows at once.

#include "backend/cpu/kernels.h"

namespace plumb::cpu {
namespace {

struct F32Cache {
  using Value = float;
  static constexpr Format kFormat = Format::f32;
  SIMD_INLINE F load(const Value* p) { return Simd::load(p); }
  SIMD_INLINE void store(Value* p, F x) { Simd::store(p, x); }
};
struct F16Cache {
  using Value = uint16_t;
  static constexpr Format kFormat = Format::f16;
  SIMD_INLINE F load(const Value* p) { return Simd::load_f16(p); }
  SIMD_INLINE void store(Value* p, F x) { Simd::store_f16(p, x); }
};
struct Bf16Cache {
  using Value = uint16_t;
  static constexpr Format kFormat = Format::bf16;
  SIMD_INLINE F load(const Value* p) { return Simd::load_bf16(p); }
  static void store(Value* p, F x) {
    float values[16];
    Simd::store(values, x);
    for (int i = 0; i < 16; ++i) p[i] = f32_to_bf16(values[i]);
  }
};

constexpr int64_t kPage = 64;  // positions of a page

template <typename Cache>
void store_k(const float* k, int64_t head_dim, void* page, int64_t position) {
  auto* to = static_cast<typename Cache::Value*>(page) + position;
  typename Cache::Value narrow[16];
  for (int64_t d = 0; d < head_dim; d += 16) {
    Cache::store(narrow, Simd::load_first(k + d, head_dim - d));
    for (int64_t i = 0; i < 16 && d + i < head_dim; ++i) to[(d + i) * kPage] = narrow[i];
  }
}

template <typename Cache>
void store_v(const float* v, int64_t head_dim, void* page, int64_t position) {
  const int64_t padded = (head_dim + 15) / 16 * 16;
  auto* to = static_cast<typename Cache::Value*>(page) + position * padded;
  for (int64_t d = 0; d < head_dim; d += 16)
    Cache::store(to + d, Simd::load_first(v + d, head_dim - d));
}

template <typename Cache>
void widen(const void* page, int64_t n, float* out) {
  const auto* from = static_cast<const typename Cache::Value*>(page);
  for (int64_t i = 0; i < n; i += 16) Simd::store(out + i, Cache::load(from + i));
}

// Pages lie apart, so the processor cannot guess the next one.
template <CacheLevel kFetch, int N, typename Value>
SIMD_INLINE void fetch(const Value* at) {
  for (int i = 0; i < N; i += 64 / static_cast<int>(sizeof(Value))) prefetch<kFetch>(at + i);
}

// f is a template of where to.
template <typename Function>
void with_fetch(const void* next, const Function& f) {
  if (!next) return f.template operator()<CacheLevel::none>();
  if (prefetch_into == CacheLevel::second) return f.template operator()<CacheLevel::second>();
  f.template operator()<CacheLevel::first>();
}

// P registers of positions from the first on, for R rows.
template <typename Cache, CacheLevel kFetch, int R, int P>
SIMD_INLINE void score_tile(const ScoreArgs& a, int64_t row, int64_t position) {
  const float* q = a.q + row * a.head_dim;
  const auto* k = static_cast<const typename Cache::Value*>(a.k) + position;
  const auto* next = static_cast<const typename Cache::Value*>(a.next) +
                     (kFetch == CacheLevel::none ? 0 : position);
  F sums[R][P];
  for (int r = 0; r < R; ++r)
    for (int p = 0; p < P; ++p) sums[r][p] = Simd::zero();
  for (int64_t d = 0; d < a.head_dim; ++d) {
    F keys[P];
    for (int p = 0; p < P; ++p) keys[p] = Cache::load(k + d * kPage + 16 * p);
    fetch<kFetch, 16 * P>(next + d * kPage);
    for (int r = 0; r < R; ++r) {
      const F query = Simd::set(q[r * a.head_dim + d]);
      for (int p = 0; p < P; ++p) sums[r][p] = Simd::fma(query, keys[p], sums[r][p]);
    }
  }
  for (int r = 0; r < R; ++r)
    for (int p = 0; p < P; ++p)
      Simd::store(a.scores + (row + r) * kChunkPositions + position + 16 * p, sums[r][p]);
}

template <typename Cache, CacheLevel kFetch, int R>
void score_rows(const ScoreArgs& a, int64_t row) {
  constexpr int P = Simd::kScoreRegisters;
  for (int64_t position = 0; position < kPage; position += 16 * P)
    score_tile<Cache, kFetch, R, P>(a, row, position);
}

template <typename Cache, CacheLevel kFetch>
void scores_of_rows(const ScoreArgs& a) {
  in_tiles<Simd::kQueryRows>(0, a.n_rows,
                             [&]<int R>(int64_t row) { score_rows<Cache, kFetch, R>(a, row); });
}

template <typename Cache>
void scores(const ScoreArgs& a) {
  with_fetch(a.next, [&]<CacheLevel kFetch>() { scores_of_rows<Cache, kFetch>(a); });
}

// R rows times D registers of the head: the positions that all rows see, then the rest of each row.
template <typename Cache, CacheLevel kFetch, int R, int D>
SIMD_INLINE void value_tile(const ValueArgs& a, int64_t row, int64_t dim) {
  const float* weights = a.weights + row * kChunkPositions;
  const auto* v = static_cast<const typename Cache::Value*>(a.v) + dim;
  const auto* next =
      static_cast<const typename Cache::Value*>(a.next) + (kFetch == CacheLevel::none ? 0 : dim);
  float* to = a.sums + row * a.head_dim_padded + dim;
  F sums[R][D];
  for (int r = 0; r < R; ++r)
    for (int d = 0; d < D; ++d) sums[r][d] = Simd::load(to + r * a.head_dim_padded + 16 * d);
  const int64_t common = a.limits[row];
  for (int64_t p = 0; p < common; ++p) {
    F values[D];
    for (int d = 0; d < D; ++d) values[d] = Cache::load(v + p * a.head_dim_padded + 16 * d);
    fetch<kFetch, 16 * D>(next + p * a.head_dim_padded);
    for (int r = 0; r < R; ++r) {
      const F weight = Simd::set(weights[r * kChunkPositions + p]);
      for (int d = 0; d < D; ++d) sums[r][d] = Simd::fma(weight, values[d], sums[r][d]);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int64_t p = common; p < a.limits[row + r]; ++p) {
      const F weight = Simd::set(weights[r * kChunkPositions + p]);
      for (int d = 0; d < D; ++d)
        sums[r][d] = Simd::fma(weight, Cache::load(v + p * a.head_dim_padded + 16 * d), sums[r][d]);
    }
    for (int d = 0; d < D; ++d) Simd::store(to + r * a.head_dim_padded + 16 * d, sums[r][d]);
  }
}

template <typename Cache, CacheLevel kFetch, int R>
void value_rows(const ValueArgs& a, int64_t row) {
  constexpr int D = Simd::kValueRegisters;
  int64_t dim = 0;
  for (; dim + 16 * D <= a.head_dim_padded; dim += 16 * D)
    value_tile<Cache, kFetch, R, D>(a, row, dim);
  for (; dim < a.head_dim_padded; dim += 16) value_tile<Cache, kFetch, R, 1>(a, row, dim);
}

template <typename Cache, CacheLevel kFetch>
void values_of_rows(const ValueArgs& a) {
  in_tiles<Simd::kQueryRows>(0, a.n_rows,
                             [&]<int R>(int64_t row) { value_rows<Cache, kFetch, R>(a, row); });
}

template <typename Cache>
void values(const ValueArgs& a) {
  with_fetch(a.next, [&]<CacheLevel kFetch>() { values_of_rows<Cache, kFetch>(a); });
}

void softmax(float* scores, int64_t n, float* max, float* sum) {
  const F lowest = Simd::set(-__builtin_inff());
  const int64_t whole = n / 16 * 16;
  F highest = lowest;
  for (int64_t i = 0; i < whole; i += 16) highest = Simd::max(highest, Simd::load(scores + i));
  if (whole < n)
    highest = Simd::max(highest, Simd::keep_first(Simd::load(scores + whole), n - whole, lowest));
  *max = Simd::max_lanes(highest);
  const F offset = Simd::set(*max);
  F total = Simd::zero();
  int64_t i = 0;
  for (; i < whole; i += 16) {
    const F weight = exponential(Simd::sub(Simd::load(scores + i), offset));
    total = Simd::add(total, weight);
    Simd::store(scores + i, weight);
  }
  for (; i < kChunkPositions; i += 16) {
    F weight = Simd::zero();
    if (i < n)
      weight = Simd::keep_first(exponential(Simd::sub(Simd::load(scores + i), offset)), n - i,
                                Simd::zero());
    total = Simd::add(total, weight);
    Simd::store(scores + i, weight);
  }
  *sum = Simd::sum_lanes(total);
}

// Both are rescaled to the larger maximum.
void merge(float* max, float* sum, float* values, float next_max, float next_sum,
           const float* next_values, int64_t n) {
  const float larger = next_max > *max ? next_max : *max;
  const F offset = Simd::set(larger);
  const F mine = exponential(Simd::sub(Simd::set(*max), offset));
  const F other = exponential(Simd::sub(Simd::set(next_max), offset));
  for (int64_t i = 0; i < n; i += 16)
    Simd::store(values + i, Simd::fma(Simd::load(next_values + i), other,
                                      Simd::mul(Simd::load(values + i), mine)));
  float total[16];
  Simd::store(total, Simd::fma(Simd::set(next_sum), other, Simd::mul(Simd::set(*sum), mine)));
  *sum = total[0];
  *max = larger;
}

void divide(const float* values, float sum, int64_t n, float* out) {
  const F divisor = Simd::set(sum);
  for (int64_t i = 0; i < n; i += 16)
    Simd::store_first(out + i, Simd::div(Simd::load(values + i), divisor), n - i);
}

}  // namespace
}  // namespace plumb::cpu
