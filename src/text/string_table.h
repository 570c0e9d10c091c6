#pragma once
// Strings with an index each, and the index of a string: one buffer of text and an open-addressing
// table of 8 bytes a slot, as vocabularies come from outside and may be as large as their file.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

class StringTable {
 public:
  static constexpr size_t kMostBytes = UINT32_MAX;  // of all strings together

  StringTable() : StringTable(0, 0) {}
  // Room for so many strings of so many bytes in all, at most INT32_MAX and kMostBytes.
  StringTable(size_t strings, size_t bytes);

  // The index of an equal string that is there already; otherwise appends it, and none. Empty
  // strings are appended every time, and never found. CHECK: the room that was asked for.
  std::optional<int32_t> add(std::string_view text);

  std::optional<int32_t> find(std::string_view text) const;
  std::string_view text(int32_t index) const {
    const auto i = static_cast<size_t>(index);
    return std::string_view(texts_).substr(offsets_[i], offsets_[i + 1] - offsets_[i]);
  }
  int32_t size() const { return static_cast<int32_t>(offsets_.size()) - 1; }

 private:
  struct Slot {
    uint32_t tag = 0;    // of the hash, so that most mismatches end here
    int32_t index = -1;  // -1: free
  };
  // The slot that holds the string, or the free one where it belongs.
  size_t slot_of(std::string_view text, uint64_t hash) const;

  std::string texts_;              // one after another
  std::vector<uint32_t> offsets_;  // [size + 1] into texts_
  std::vector<Slot> slots_;        // open addressing
  size_t longest_ = 0;             // bytes
};

}  // namespace plumb
