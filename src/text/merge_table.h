#pragma once
// The merges of a BPE vocabulary (tokenizer.ggml.merges): which symbol two adjacent symbols become,
// and in which order. A symbol is a token, or a string that only merges name; ids of the latter
// follow those of the tokens.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gguf/gguf.h"
#include "text/symbol_merger.h"
#include "text/vocabulary.h"

namespace plumb {

// One entry; its rank is its index.
struct MergePair {
  std::string_view left, right;  // views into the file
};
// Error: no such key, or an entry without a space between two strings.
std::vector<MergePair> read_merges(const gguf::Metadata& metadata);

class MergeTable {
 public:
  // Of a pair that occurs twice the first counts. Strings that are no tokens are allowed: such
  // merges happen, and their result is taken apart in the end if no other merge takes it up. So
  // are control tokens: text never becomes one by merging.
  MergeTable(const std::vector<MergePair>& merges, const Vocabulary& vocabulary);

  Merge find(int32_t left, int32_t right) const;
  int32_t symbol(std::string_view text,
                 const Vocabulary& vocabulary) const;  // -1: neither token nor named by a merge

 private:
  struct Slot {
    uint64_t pair = kFree;
    Merge merge;
  };
  static constexpr uint64_t kFree = UINT64_MAX;

  void collect_extra(const std::vector<MergePair>& merges,
                     const std::vector<std::pair<int32_t, int32_t>>& ids);
  int32_t extra_symbol(std::string_view text, const Vocabulary& vocabulary) const;
  void insert(uint64_t pair, const Merge& merge);

  std::vector<Slot> slots_;         // open addressing by pair
  std::vector<std::string> extra_;  // sorted: strings that are no tokens
  uint64_t seed_ = 0;
};

}  // namespace plumb
