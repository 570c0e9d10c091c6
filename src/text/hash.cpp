// The seed of the tokenizer's tables.
#include "text/hash.h"

#include <random>

namespace plumb {

uint64_t hash_seed() {
  static const uint64_t seed = [] {
    std::random_device device;
    return uint64_t{device()} << 32 | device();
  }();
  return seed;
}

}  // namespace plumb
