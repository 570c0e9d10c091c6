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
  const std::span<const uint8_t> bytes = take(length, 1, field);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view Cursor::name(size_t longest) {
  const std::string_view s = text("name");
  const bool printable = std::ranges::all_of(s, [](char c) { return c >= 0x20 && c < 0x7f; });
  if (s.empty() || s.size() > longest || !printable)
    reject("name", fmt::format("1 to {} printable ASCII characters", longest),
           fmt::format("{} ({} bytes)", quoted(s), s.size()));
  place_.name = s;
  return s;
}

std::span<const uint8_t> Cursor::take(uint64_t count, uint64_t item_bytes, std::string_view field) {
  if (count > remaining() / item_bytes) {
    const std::string size = item_bytes == 1 ? fmt::format("{}", count)
                             : count == 1    ? fmt::format("{}", item_bytes)
                                             : fmt::format("{} times {}", count, item_bytes);
    reject(field, fmt::format("{} bytes at byte {}", size, at_),
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
