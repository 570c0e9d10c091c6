#pragma once
// The bytes of the key-value cache. A page holds all layers of its pool one after another, so that
// memory grows with the positions used; within a layer each KV head has its K and then its V
// (kernels.h). The pools follow one another.

#include <cstdint>
#include <vector>

#include "backend/cpu/kernels.h"
#include "base/memory.h"
#include "plan/plan.h"

namespace plumb::cpu {

class Cache {
 public:
  explicit Cache(const Plan& plan);  // allocates; untouched pages cost nothing

  static int64_t bytes(const Plan& plan);

  uint8_t* k(int layer, int32_t page, int64_t kv_head) const {
    const Layer& l = layers_[static_cast<size_t>(layer)];
    return memory_.data() + l.at + page * l.page_bytes + kv_head * (l.k_bytes + l.v_bytes);
  }
  uint8_t* v(int layer, int32_t page, int64_t kv_head) const {
    return k(layer, page, kv_head) + layers_[static_cast<size_t>(layer)].k_bytes;
  }
  void copy_page(int pool, int32_t from, int32_t to);

 private:
  struct Layer {
    int64_t at;                // of the pool's first page
    int64_t page_bytes;        // of the pool
    int64_t k_bytes, v_bytes;  // of one head
  };
  struct Pool {
    int64_t at, page_bytes;
  };
  struct Layout {
    explicit Layout(const Plan& plan);
    std::vector<Layer> layers;
    std::vector<Pool> pools;
    int64_t bytes = 0;
  };

  std::vector<Layer> layers_;
  std::vector<Pool> pools_;
  AnonymousMemory memory_;
};

}  // namespace plumb::cpu
