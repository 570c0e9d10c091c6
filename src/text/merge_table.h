#pragma once
// The merges of a BPE vocabulary (tokenizer.ggml.merges): which symbol two adjacent symbols become,
// and in which order. A symbol is a token, or a string that only merges name; ids of the latter
// follow those of the tokens.

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "gguf/gguf.h"
#include "text/string_table.h"
#include "text/symbol_merger.h"
#include "text/vocabulary.h"

namespace plumb {

// Twice what the largest vocabularies have; see Vocabulary::kMostTokens.
inline constexpr int64_t kMostMerges = 1'000'000;

// Calls each(left, right), views into the file, for all merges; the rank of a merge is its place.
// Error: no such key, more than kMostMerges, or an entry without a space between two strings.
using EachMerge = std::function<void(std::string_view left, std::string_view right)>;
void for_each_merge(const gguf::Metadata& metadata, const EachMerge& each);

class MergeTable {
 public:
  // Of a pair that occurs twice the first counts. Strings that are no tokens are allowed: such
  // merges happen, and their result is taken apart in the end if no other merge takes it up. So
  // are control tokens: text never becomes one by merging. Errors as for_each_merge.
  MergeTable(const gguf::Metadata& metadata, const Vocabulary& vocabulary);

  Merge find(int32_t left, int32_t right) const;
  int32_t symbol(std::string_view text,
                 const Vocabulary& vocabulary) const;  // -1: neither token nor named by a merge

 private:
  struct Slot {
    uint64_t pair = kFree;
    Merge merge;
  };
  static constexpr uint64_t kFree = UINT64_MAX;

  void collect_extra(const gguf::Metadata& metadata, const Vocabulary& vocabulary);
  void insert(uint64_t pair, const Merge& merge);

  std::vector<Slot> slots_;  // open addressing by pair
  StringTable extra_;        // strings that are no tokens
  uint64_t seed_ = 0;
};

}  // namespace plumb
