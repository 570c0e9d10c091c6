// Reading merges into a table by pair of ids.
#include "text/merge_table.h"

#include <string>

#include "base/error.h"
#include "base/text.h"
#include "text/hash.h"

namespace plumb {
namespace {

constexpr std::string_view kMerges = "tokenizer.ggml.merges";

uint64_t pair_of(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

}  // namespace

// "left right": cut at the first space that leaves something on the left.
void for_each_merge(const gguf::Metadata& metadata, const EachMerge& each) {
  const auto texts = metadata.strings(kMerges);
  if (texts.size() > kMostMerges)
    fail("[text] {}: {}: expected at most {} merges, got {}", metadata.file_name(), kMerges,
         kMostMerges, texts.size());
  int64_t rank = 0;
  for (const auto text : texts) {
    const size_t space = text.find(' ', 1);
    if (space == text.npos || space + 1 == text.size())
      fail("[text] {}: {}: expected two strings with a space between as merge {}, got {}",
           metadata.file_name(), kMerges, rank, quoted(text));
    each(text.substr(0, space), text.substr(space + 1));
    ++rank;
  }
}

MergeTable::MergeTable(const gguf::Metadata& metadata, const Vocabulary& vocabulary)
    : seed_(hash_seed()) {
  collect_extra(metadata, vocabulary);
  slots_.resize(table_slots(static_cast<size_t>(metadata.strings(kMerges).size())));
  uint32_t rank = 0;
  std::string both;
  for_each_merge(metadata, [&](std::string_view left, std::string_view right) {
    both.assign(left).append(right);
    insert(pair_of(symbol(left, vocabulary), symbol(right, vocabulary)),
           {.key = rank++, .id = symbol(both, vocabulary)});
  });
}

// The strings that are no tokens. Counted first, so that the table has its size from the start.
void MergeTable::collect_extra(const gguf::Metadata& metadata, const Vocabulary& vocabulary) {
  const auto for_each_extra = [&](const auto& each) {
    for_each_merge(metadata, [&](std::string_view left, std::string_view right) {
      if (!vocabulary.find_text(left)) each(left);
      if (!vocabulary.find_text(right)) each(right);
    });
  };
  size_t n = 0, bytes = 0;
  for_each_extra([&](std::string_view text) {
    ++n;
    bytes += text.size();
  });
  if (n == 0) return;
  if (bytes > StringTable::kMostBytes)
    fail("[text] {}: {}: expected at most {} bytes, got {}", metadata.file_name(), kMerges,
         StringTable::kMostBytes, bytes);
  extra_ = StringTable(n, bytes);
  for_each_extra([&](std::string_view text) { extra_.add(text); });
}

void MergeTable::insert(uint64_t pair, const Merge& merge) {
  const size_t mask = slots_.size() - 1;
  size_t at = hash_pair(pair, seed_) & mask;
  for (; slots_[at].pair != kFree; at = (at + 1) & mask)
    if (slots_[at].pair == pair) return;
  slots_[at] = {pair, merge};
}

Merge MergeTable::find(int32_t left, int32_t right) const {
  if ((left | right) < 0) return {};
  const uint64_t pair = pair_of(left, right);
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash_pair(pair, seed_) & mask; slots_[at].pair != kFree; at = (at + 1) & mask)
    if (slots_[at].pair == pair) return slots_[at].merge;
  return {};
}

int32_t MergeTable::symbol(std::string_view text, const Vocabulary& vocabulary) const {
  if (const auto id = vocabulary.find_text(text)) return *id;
  const auto extra = extra_.find(text);
  return extra ? vocabulary.size() + *extra : -1;
}

}  // namespace plumb
