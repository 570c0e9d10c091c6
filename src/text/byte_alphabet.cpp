// Tables of the byte alphabet, and the spellings of spaces and bytes.
#include "text/byte_alphabet.h"

#include <fmt/format.h>

#include <array>

#include "text/unicode.h"

namespace plumb {
namespace {

constexpr int kFirstBorrowed = 0x100, kBorrowed = 68;

struct Alphabet {
  std::array<std::string, 256> spelling;
  std::array<int, kFirstBorrowed + kBorrowed> byte_of{};  // by code point; -1: none
};

constexpr bool stands_for_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

Alphabet make_alphabet() {
  Alphabet a;
  a.byte_of.fill(-1);
  int borrowed = kFirstBorrowed;
  for (int byte = 0; byte < 256; ++byte) {
    const int code_point = stands_for_itself(byte) ? byte : borrowed++;
    a.byte_of[static_cast<size_t>(code_point)] = byte;
    auto& s = a.spelling[static_cast<size_t>(byte)];
    if (code_point >= 0x80) s += static_cast<char>(0xC0 | code_point >> 6);
    s += static_cast<char>(code_point < 0x80 ? code_point : 0x80 | (code_point & 0x3F));
  }
  return a;
}

const Alphabet& alphabet() {
  static const Alphabet a = make_alphabet();
  return a;
}

void append_replaced(std::string_view text, std::string_view from, std::string_view to,
                     std::string& out) {
  for (size_t at; (at = text.find(from)) != std::string_view::npos;
       text.remove_prefix(at + from.size())) {
    out += text.substr(0, at);
    out += to;
  }
  out += text;
}

}  // namespace

std::string_view spell_byte(uint8_t byte) {
  return alphabet().spelling[byte];
}

void append_spelled(std::string_view text, std::string& out) {
  const auto& byte_of = alphabet().byte_of;
  while (!text.empty()) {
    const auto [code_point, length] = decode_char(text);
    if (code_point < byte_of.size() && byte_of[code_point] >= 0)
      out += static_cast<char>(byte_of[code_point]);
    else
      out += text.substr(0, static_cast<size_t>(length));
    text.remove_prefix(static_cast<size_t>(length));
  }
}

std::optional<uint8_t> parse_byte_token(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return std::nullopt;
  const size_t high = digits.find(text[3]), low = digits.find(text[4]);
  if (high == digits.npos || low == digits.npos) return std::nullopt;
  return static_cast<uint8_t>(high << 4 | low);
}

std::string byte_token(uint8_t byte) {
  return fmt::format("<0x{:02X}>", byte);
}

void append_marked(std::string_view text, std::string& out) {
  append_replaced(text, " ", kSpaceMark, out);
}

void append_unmarked(std::string_view text, std::string& out) {
  append_replaced(text, kSpaceMark, " ", out);
}

}  // namespace plumb
