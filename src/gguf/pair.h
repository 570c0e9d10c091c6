#pragma once
// One key with its value, as it stands in the file.

#include "gguf/cursor.h"
#include "gguf/gguf.h"

namespace plumb::gguf {

// The fewest bytes that a pair can have (length, one byte of key, type, one byte of value).
inline constexpr uint64_t kSmallestPair = 8 + 1 + 4 + 1;

inline constexpr size_t kLongestKey = 65535;  // bytes; the specification's

// Reads type and value under the cursor, arrays as views. Errors: unknown type, nested array, a
// bool that is neither 0 nor 1, a length beyond the end.
Value read_value(Cursor& cursor);

// Bytes of one number or bool; 0 for strings and arrays.
uint64_t value_bytes(ValueType type);

// "f32 0.5", "string "abc"", "array of 3 i32": what arrived, for messages.
std::string describe(const Value& value);

// One number or bool of an array, index in range.
Value element(const Array& array, int64_t index);

}  // namespace plumb::gguf
