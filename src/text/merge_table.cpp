// Reading merges into a table by pair of ids.
#include "text/merge_table.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "text/hash.h"

namespace plumb {
namespace {

constexpr std::string_view kMerges = "tokenizer.ggml.merges";
constexpr size_t kMostMerges = size_t{1} << 28;  // two strings each: ids stay in 32 bits

uint64_t pair_of(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

}  // namespace

// "left right": cut at the first space that leaves something on the left.
std::vector<MergePair> read_merges(const gguf::Metadata& metadata) {
  const auto texts = metadata.strings(kMerges);
  if (texts.size() > kMostMerges)
    fail("[text] {}: {}: expected at most {} merges, got {}", metadata.file_name(), kMerges,
         kMostMerges, texts.size());
  std::vector<MergePair> out;
  out.reserve(texts.size());
  for (const auto text : texts) {
    const size_t space = text.find(' ', 1);
    if (space == text.npos || space + 1 == text.size())
      fail("[text] {}: {}: expected two strings with a space between as merge {}, got {}",
           metadata.file_name(), kMerges, out.size(), quoted(text));
    out.push_back({text.substr(0, space), text.substr(space + 1)});
  }
  return out;
}

MergeTable::MergeTable(const std::vector<MergePair>& merges, const Vocabulary& vocabulary)
    : slots_(table_slots(merges.size())), seed_(hash_seed()) {
  std::vector<std::pair<int32_t, int32_t>> ids;
  ids.reserve(merges.size());
  for (const auto& m : merges)
    ids.emplace_back(vocabulary.find_text(m.left).value_or(-1),
                     vocabulary.find_text(m.right).value_or(-1));
  collect_extra(merges, ids);
  std::string both;
  for (uint32_t rank = 0; rank < merges.size(); ++rank) {
    const auto [left, right] = merges[rank];
    auto [left_id, right_id] = ids[rank];
    if (left_id < 0) left_id = extra_symbol(left, vocabulary);
    if (right_id < 0) right_id = extra_symbol(right, vocabulary);
    both.assign(left).append(right);
    insert(pair_of(left_id, right_id), {.key = rank, .id = symbol(both, vocabulary)});
  }
}

// The strings that are no tokens.
void MergeTable::collect_extra(const std::vector<MergePair>& merges,
                               const std::vector<std::pair<int32_t, int32_t>>& ids) {
  std::vector<std::string_view> found;
  for (size_t i = 0; i < merges.size(); ++i) {
    if (ids[i].first < 0) found.push_back(merges[i].left);
    if (ids[i].second < 0) found.push_back(merges[i].right);
  }
  std::ranges::sort(found);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  extra_.assign(found.begin(), found.end());
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
  const auto id = vocabulary.find_text(text);
  return id ? *id : extra_symbol(text, vocabulary);
}

int32_t MergeTable::extra_symbol(std::string_view text, const Vocabulary& vocabulary) const {
  const auto at = std::ranges::lower_bound(extra_, text);
  if (at == extra_.end() || *at != text) return -1;
  return vocabulary.size() + static_cast<int32_t>(at - extra_.begin());
}

}  // namespace plumb
