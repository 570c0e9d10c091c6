#pragma once
// A hash of token ids, to compare many with reference data.

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

namespace plumb::test {

// FNV-1a, 32 bit, over each list's length and ids as little-endian int32: as in
// tools/make_tokenizer_reference.py.
class IdsHash {
 public:
  void add(const std::vector<int32_t>& ids) {
    add(static_cast<int32_t>(ids.size()));
    for (const int32_t id : ids) add(id);
  }
  std::string hex() const { return fmt::format("{:08x}", hash_); }

 private:
  void add(int32_t value) {
    for (int shift = 0; shift < 32; shift += 8)
      hash_ = (hash_ ^ (static_cast<uint32_t>(value) >> shift & 0xFF)) * 0x01000193;
  }
  uint32_t hash_ = 0x811C9DC5;
};

}  // namespace plumb::test
