#include "backend/cpu/cache.h"

#include <cstring>

namespace plumb::cpu {

std::vector<Cache::Layer> Cache::layers(const Plan& plan, int64_t& page_bytes) {
  std::vector<Layer> layers;
  page_bytes = 0;
  for (const CacheLayer& layer : plan.cache.layers) {
    const int64_t padded = (layer.head_dim + 15) / 16 * 16;
    const int64_t k = format_bytes(plan.cache.k, kPagePositions * layer.head_dim);
    const int64_t v = format_bytes(plan.cache.v, kPagePositions * padded);
    layers.push_back({page_bytes, k, v});
    page_bytes = saturating_add(page_bytes, saturating_mul(layer.n_kv_heads, k + v));
  }
  return layers;
}

int64_t Cache::bytes(const Plan& plan) {
  int64_t page_bytes;
  layers(plan, page_bytes);
  return saturating_mul(cache_pages(plan.options), page_bytes);
}

Cache::Cache(const Plan& plan) : layers_(layers(plan, page_bytes_)), memory_(bytes(plan)) {
  memory_.prefer_large_pages();
}

void Cache::copy_page(int32_t from, int32_t to) {
  std::memcpy(memory_.data() + to * page_bytes_, memory_.data() + from * page_bytes_,
              static_cast<size_t>(page_bytes_));
}

}  // namespace plumb::cpu
