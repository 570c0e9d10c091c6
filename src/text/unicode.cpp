// Decoding and classes of characters.
#include "text/unicode.h"

#include <vector>

namespace plumb {
namespace {

constexpr uint32_t kReplacement = 0xFFFD, kCodePoints = 0x110000;

uint32_t byte_at(std::string_view text, size_t i) {
  return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
}

bool continues(std::string_view text, size_t from, size_t to) {
  for (size_t i = from; i < to; ++i)
    if ((byte_at(text, i) & 0xC0) != 0x80) return false;
  return true;
}

// One byte per code point: 1.1 MB, of which a text touches a few lines.
std::vector<CharClass> expand_ranges() {
  std::vector<CharClass> classes(kCodePoints);
  const auto ranges = unicode_ranges();
  for (size_t i = 0; i < ranges.size(); ++i) {
    const uint32_t end = i + 1 < ranges.size() ? ranges[i + 1] >> 4 : kCodePoints;
    for (uint32_t c = ranges[i] >> 4; c < end; ++c)
      classes[c] = static_cast<CharClass>(ranges[i] & 15);
  }
  return classes;
}

}  // namespace

Char decode_char(std::string_view text) {
  const uint32_t lead = byte_at(text, 0);
  const auto tail = [&](size_t i) { return byte_at(text, i) & 0x3F; };
  if (lead < 0x80) return {lead, 1};
  if (lead >= 0xC2 && lead <= 0xDF && continues(text, 1, 2))
    return {(lead & 0x1F) << 6 | tail(1), 2};
  if (lead >= 0xE0 && lead <= 0xEF && continues(text, 1, 3)) {
    const uint32_t c = (lead & 0x0F) << 12 | tail(1) << 6 | tail(2);
    if (c >= 0x800) return {c, 3};
  }
  if (lead >= 0xF0 && lead <= 0xF4 && continues(text, 1, 4)) {
    const uint32_t c = (lead & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3);
    if (c >= 0x10000 && c < kCodePoints) return {c, 4};
  }
  return {kReplacement, 1};
}

CharClass char_class(uint32_t code_point) {
  static const std::vector<CharClass> classes = expand_ranges();
  return code_point < kCodePoints ? classes[code_point] : CharClass::other;
}

}  // namespace plumb
