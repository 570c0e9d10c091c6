#pragma once
// Layers of the key-value cache that see equally far share a pool of pages: those with a window
// keep only the pages that it can still reach, and a batch more.

#include <cstdint>
#include <vector>

#include "plan/plan.h"

namespace plumb {

struct CachePool {
  int64_t window;          // 0: all positions are kept
  int64_t sequence_pages;  // that one sequence holds at most
};

std::vector<CachePool> cache_pools(const Plan& plan);
// The pool of a layer of the cache.
int pool_of(const std::vector<CachePool>& pools, const CacheLayer& layer);
// Pages of all sequences.
int64_t pages_of(const CachePool& pool, const PlanOptions& options);

}  // namespace plumb
