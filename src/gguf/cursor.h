#pragma once
// Reads a GGUF file's little-endian fields one after another and never past the end. The same code
// walks the header when the file is opened (everything is checked then) and decodes single keys and
// tensors later.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plumb::gguf {

// What is being read, for messages; costs nothing until one is needed.
struct Place {
  std::string_view what;       // "header", "key", "tensor"
  int64_t index = -1;          // which one of them; -1: there is one only
  std::string_view name = {};  // once known
  std::string text() const;
};

// The text at a place that was read before: what a sort or search compares, many times over. Never
// leaves the file, whatever has become of it meanwhile.
inline std::string_view text_at(std::span<const uint8_t> bytes, uint64_t at) {
  uint64_t length;
  std::memcpy(&length, bytes.data() + at, sizeof length);
  const uint64_t begin = at + sizeof length;
  return {reinterpret_cast<const char*>(bytes.data() + begin),
          std::min<uint64_t>(length, bytes.size() - begin)};
}

class Cursor {
 public:
  Cursor(const std::string& file, std::span<const uint8_t> bytes, uint64_t at = 0)
      : file_(&file), bytes_(bytes), at_(at) {}

  uint64_t at() const { return at_; }
  uint64_t remaining() const { return bytes_.size() - at_; }
  const std::string& file() const { return *file_; }

  void enter(const Place& place) { place_ = place; }

  template <typename T>
  T number(std::string_view field) {
    const std::span<const uint8_t> bytes = take(1, sizeof(T), field);
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }

  // u64 length, then that many bytes.
  std::string_view text(std::string_view field);

  // The name of a key or tensor: 1 to `longest` printable ASCII characters, so that it can stand in
  // messages and tables as it is. From here on the place has this name.
  std::string_view name(size_t longest);

  // count items of item_bytes each.
  std::span<const uint8_t> take(uint64_t count, uint64_t item_bytes, std::string_view field);

  // An Error about the place: "[gguf] FILE: key 3 "a.b": FIELD: expected EXPECTED, got GOT".
  [[noreturn]] void reject(std::string_view field, std::string_view expected,
                           const std::string& got) const;

 private:
  const std::string* file_;
  std::span<const uint8_t> bytes_;
  uint64_t at_;
  Place place_{};
};

}  // namespace plumb::gguf
