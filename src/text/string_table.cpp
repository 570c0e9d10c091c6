#include "text/string_table.h"

#include <algorithm>

#include "base/error.h"
#include "text/hash.h"

namespace plumb {
namespace {

uint32_t tag_of(uint64_t hash) {
  return static_cast<uint32_t>(hash >> 32);
}

}  // namespace

StringTable::StringTable(size_t strings, size_t bytes) : slots_(table_slots(strings)) {
  CHECK(strings <= INT32_MAX && bytes <= kMostBytes, "{} strings of {} bytes", strings, bytes);
  texts_.reserve(bytes);
  offsets_.reserve(strings + 1);
  offsets_.push_back(0);
}

size_t StringTable::slot_of(std::string_view key, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.index < 0) return at;
    if (slot.tag == tag_of(hash) && same_bytes(text(slot.index), key)) return at;
  }
}

std::optional<int32_t> StringTable::add(std::string_view text) {
  const int32_t index = size();
  if (!text.empty()) {
    const uint64_t hash = hash_bytes(text, hash_seed());
    Slot& slot = slots_[slot_of(text, hash)];
    if (slot.index >= 0) return slot.index;
    slot = {.tag = tag_of(hash), .index = index};
  }
  CHECK(2 * static_cast<size_t>(index) < slots_.size() && texts_.size() + text.size() <= kMostBytes,
        "{} strings of {} bytes", index + 1, texts_.size() + text.size());
  texts_ += text;
  offsets_.push_back(static_cast<uint32_t>(texts_.size()));
  longest_ = std::max(longest_, text.size());
  return std::nullopt;
}

std::optional<int32_t> StringTable::find(std::string_view text) const {
  if (text.empty() || text.size() > longest_) return std::nullopt;
  const int32_t index = slots_[slot_of(text, hash_bytes(text, hash_seed()))].index;
  return index >= 0 ? std::optional(index) : std::nullopt;
}

}  // namespace plumb
