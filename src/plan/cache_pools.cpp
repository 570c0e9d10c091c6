#include "plan/cache_pools.h"

#include <algorithm>

#include "base/error.h"

namespace plumb {
namespace {

// A batch's first token reaches window - 1 positions back; pages hold whole runs of positions.
int64_t sequence_pages(int64_t window, const PlanOptions& options) {
  const int64_t all = (options.n_positions + kPagePositions - 1) / kPagePositions;
  if (window == 0) return all;
  const int64_t reached = saturating_add(window - 1, options.max_batch);
  return std::min(all, (reached - 1) / kPagePositions + 2);
}

}  // namespace

std::vector<CachePool> cache_pools(const Plan& plan) {
  std::vector<CachePool> pools;
  for (const CacheLayer& layer : plan.cache.layers)
    if (std::ranges::find(pools, layer.window, &CachePool::window) == pools.end())
      pools.push_back({layer.window, sequence_pages(layer.window, plan.options)});
  return pools;
}

int pool_of(const std::vector<CachePool>& pools, const CacheLayer& layer) {
  const auto pool = std::ranges::find(pools, layer.window, &CachePool::window);
  CHECK(pool != pools.end(), "no pool for a window of {}", layer.window);
  return static_cast<int>(pool - pools.begin());
}

int64_t pages_of(const CachePool& pool, const PlanOptions& options) {
  return saturating_mul(options.n_sequences, pool.sequence_pages);
}

}  // namespace plumb
