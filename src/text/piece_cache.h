#pragma once
// Pieces repeat: a piece that came up earlier in the same text gets its ids from there. A small
// direct-mapped table; nothing is stored but positions in the text and in the ids.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "text/hash.h"

namespace plumb {

class PieceCache {
 public:
  static constexpr size_t kLongest = 64;  // bytes; longer pieces rarely repeat

  explicit PieceCache(size_t text_bytes)
      : seed_(hash_seed()),
        entries_(std::bit_ceil(std::clamp<size_t>(text_bytes / 8, 16, kEntries))) {}

  // Appends the ids of source[begin, begin + length) to `ids`; encode() is called for a piece that
  // is not remembered. `source` may grow between calls, but keeps what it holds.
  template <typename Encode>
  void append(std::string_view source, size_t begin, size_t length, std::vector<int32_t>& ids,
              const Encode& encode) {
    const auto piece = source.substr(begin, length);
    if (length > kLongest) return encode(piece);
    Entry& entry = entries_[hash_bytes(piece, seed_) & (entries_.size() - 1)];
    if (same_bytes(source.substr(entry.begin, entry.length), piece)) {
      for (uint32_t i = 0; i < entry.n_ids; ++i) {
        const int32_t id = ids[entry.ids + i];
        ids.push_back(id);
      }
      return;
    }
    const size_t before = ids.size();
    encode(piece);
    entry = {static_cast<uint32_t>(begin), static_cast<uint32_t>(length),
             static_cast<uint32_t>(before), static_cast<uint32_t>(ids.size() - before)};
  }

 private:
  static constexpr size_t kEntries = size_t{1} << 15;
  struct Entry {
    uint32_t begin = 0, length = 0, ids = 0, n_ids = 0;  // length 0 equals no piece
  };
  uint64_t seed_;
  std::vector<Entry> entries_;
};

}  // namespace plumb
