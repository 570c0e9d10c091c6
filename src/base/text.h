#pragma once
// Small text helpers for messages and for bytes that claim to be UTF-8.

#include <cstdint>
#include <string>
#include <string_view>

namespace plumb {

// For messages: at most max_bytes of s between double quotes, control and non-ASCII bytes as \xNN,
// "..." where cut.
std::string quoted(std::string_view s, size_t max_bytes = 64);

// "1.25 GiB", "640 B".
std::string human_bytes(int64_t bytes);

// Length in bytes (1..4) of the well-formed UTF-8 sequence at the start of s, or 0 where there is
// none (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
int utf8_length(std::string_view s);
bool is_utf8(std::string_view s);

}  // namespace plumb
