#include "gguf/cursor.h"

#include "base/text.h"

namespace plumb::gguf {

std::string Place::text() const {
  std::string s(what);
  if (!name.empty()) return s + " " + quoted(name);
  return index < 0 ? s : fmt::format("{} number {}", s, index);
}

std::string_view Cursor::text(std::string_view field) {
  const auto length = number<uint64_t>(field);
  if (length > remaining())
    reject(field, fmt::format("{} bytes at byte {}", length, at_),
           fmt::format("{} before the end of the file", remaining()));
  const std::span<const uint8_t> bytes = take(length, 1, field);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const uint8_t> Cursor::take(uint64_t count, uint64_t item_bytes, std::string_view field) {
  if (count > remaining() / item_bytes) {
    const std::string times = count == 1 ? "" : fmt::format("{} times ", count);
    reject(field, fmt::format("{}{} bytes at byte {}", times, item_bytes, at_),
           fmt::format("{} before the end of the file", remaining()));
  }
  const auto bytes = bytes_.subspan(at_, count * item_bytes);
  at_ += bytes.size();
  return bytes;
}

void Cursor::reject(std::string_view field, std::string_view expected,
                    const std::string& got) const {
  fail("[gguf] {}: {}: {}: expected {}, got {}", *file_, place_.text(), field, expected, got);
}

}  // namespace plumb::gguf
