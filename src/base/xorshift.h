#pragma once
// The same numbers in every run: xorshift (Marsaglia 2003), 64 bits.

#include <cstdint>

namespace plumb {

class Xorshift {
 public:
  uint64_t next() {
    x_ ^= x_ << 13;
    x_ ^= x_ >> 7;
    x_ ^= x_ << 17;
    return x_;
  }

 private:
  uint64_t x_ = 88172645463325252u;
};

}  // namespace plumb
