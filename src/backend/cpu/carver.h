#pragma once
// Cuts one piece of memory into aligned arrays. The same code run without memory only counts, so
// that what is announced before an allocation is what the allocation is.

#include <cstdint>

#include "plan/plan.h"

namespace plumb::cpu {

class Carver {
 public:
  static constexpr int64_t kAlignment = 64;  // of every array, a cache line

  explicit Carver(uint8_t* memory = nullptr) : memory_(memory) {}

  // n zeroed values of T, or null when counting. Sizes saturate.
  template <typename T>
  T* take(int64_t n) {
    T* at = memory_ ? reinterpret_cast<T*>(memory_ + used_) : nullptr;
    const int64_t bytes = saturating_mul(n, static_cast<int64_t>(sizeof(T)));
    const int64_t padding = (kAlignment - bytes % kAlignment) % kAlignment;
    used_ = saturating_add(used_, saturating_add(bytes, padding));
    return at;
  }

  int64_t used() const { return used_; }

 private:
  uint8_t* memory_;
  int64_t used_ = 0;
};

}  // namespace plumb::cpu
