#pragma once
// Characters as the pre-tokenizers see them: a decoder that takes any bytes, and the class of every
// code point (Unicode 15.1).

#include <cstdint>
#include <span>
#include <string_view>

namespace plumb {

enum class CharClass : uint8_t {
  other,
  lu,
  ll,
  lt,
  lm,
  lo,
  mark,
  number,
  punctuation,
  symbol,
  space  // space: White_Space
};

// One character at the start of `text` (not empty). A surrogate coded as three bytes counts as one
// character. An ill-formed byte is a character of its own, U+FFFD, one byte long: what it stands
// for is lost on nobody, since only lengths are used to cut.
struct Char {
  uint32_t code_point;
  int length;  // bytes, 1..4
};
Char decode_char(std::string_view text);

CharClass char_class(uint32_t code_point);

// The generated table: see unicode_table.cpp.
std::span<const uint32_t> unicode_ranges();

}  // namespace plumb
