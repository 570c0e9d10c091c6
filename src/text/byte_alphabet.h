#pragma once
// How vocabularies write bytes. Byte-level BPE (Radford et al. 2019) spells every byte as one
// printable character: 0x21-0x7E, 0xA1-0xAC and 0xAE-0xFF stand for themselves, the other 68 bytes
// in order for U+0100, U+0101, ... SentencePiece-style vocabularies have tokens <0x00>..<0xFF> for
// single bytes, and write a space as U+2581.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace plumb {

inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

// The character of a byte, 1 or 2 bytes of UTF-8.
std::string_view spell_byte(uint8_t byte);

// Appends the bytes that `text` spells; characters outside the alphabet stand for themselves.
void append_spelled(std::string_view text, std::string& out);

// "<0x41>" -> 0x41; upper-case hexadecimal.
std::optional<uint8_t> parse_byte_token(std::string_view text);
std::string byte_token(uint8_t byte);

// Space marks for spaces, and back.
void append_marked(std::string_view text, std::string& out);
void append_unmarked(std::string_view text, std::string& out);

}  // namespace plumb
