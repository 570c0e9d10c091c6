#include "backend/cpu/cache.h"

#include <cstring>

#include "plan/cache_pools.h"

namespace plumb::cpu {
namespace {

// Of one head in a page.
int64_t k_bytes(const Plan& plan, const CacheLayer& layer) {
  return format_bytes(plan.cache.k, kPagePositions * layer.head_dim);
}
int64_t v_bytes(const Plan& plan, const CacheLayer& layer) {
  const int64_t padded = (layer.head_dim + 15) / 16 * 16;
  return format_bytes(plan.cache.v, kPagePositions * padded);
}
int64_t page_share(const Plan& plan, const CacheLayer& layer) {
  return saturating_mul(layer.n_kv_heads, k_bytes(plan, layer) + v_bytes(plan, layer));
}

}  // namespace

Cache::Layout::Layout(const Plan& plan) {
  const std::vector<CachePool> all = cache_pools(plan);
  for (size_t p = 0; p < all.size(); ++p) {
    Pool pool{bytes, 0};
    for (const CacheLayer& layer : plan.cache.layers)
      if (pool_of(all, layer) == static_cast<int>(p))
        pool.page_bytes = saturating_add(pool.page_bytes, page_share(plan, layer));
    pools.push_back(pool);
    bytes = saturating_add(bytes, saturating_mul(pages_of(all[p], plan.options), pool.page_bytes));
  }
  std::vector<int64_t> taken(pools.size(), 0);  // of a page
  for (const CacheLayer& layer : plan.cache.layers) {
    const auto p = static_cast<size_t>(pool_of(all, layer));
    layers.push_back({saturating_add(pools[p].at, taken[p]), pools[p].page_bytes,
                      k_bytes(plan, layer), v_bytes(plan, layer)});
    taken[p] = saturating_add(taken[p], page_share(plan, layer));
  }
}

int64_t Cache::bytes(const Plan& plan) {
  return Layout(plan).bytes;
}

Cache::Cache(const Plan& plan) {
  Layout layout(plan);
  layers_ = std::move(layout.layers);
  pools_ = std::move(layout.pools);
  memory_ = AnonymousMemory(layout.bytes);
}

void Cache::copy_page(int pool, int32_t from, int32_t to) {
  const Pool& p = pools_[static_cast<size_t>(pool)];
  std::memcpy(memory_.data() + p.at + to * p.page_bytes,
              memory_.data() + p.at + from * p.page_bytes, static_cast<size_t>(p.page_bytes));
}

}  // namespace plumb::cpu
