#pragma once
// Block formats: one row of a table says everything that the rest of the program needs to know
// about a way of storing numbers. Operations ask the table; no code elsewhere switches on a format.
// Layouts: the GGUF specification; each codec's file repeats its own. A block never spans two rows
// of a tensor.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace plumb {

// Values are GGUF's type ids. Names are as GGUF files and their users spell them.
// clang-format off
enum class Format : uint32_t {
  f32 = 0, f16 = 1, q4_0 = 2, q4_1 = 3, q5_0 = 6, q5_1 = 7, q8_0 = 8, q8_1 = 9,
  q2_k = 10, q3_k = 11, q4_k = 12, q5_k = 13, q6_k = 14, q8_k = 15,
  iq2_xxs = 16, iq2_xs = 17, iq3_xxs = 18, iq1_s = 19, iq4_nl = 20, iq3_s = 21, iq2_s = 22,
  iq4_xs = 23, i8 = 24, i16 = 25, i32 = 26, i64 = 27, f64 = 28, iq1_m = 29, bf16 = 30,
  tq1_0 = 34, tq2_0 = 35, mxfp4 = 39, nvfp4 = 40, q1_0 = 41, q2_0 = 42,
};
// clang-format on

struct FormatInfo {
  Format format;
  std::string_view name;  // "Q4_0", "F16", "IQ4_NL": upper case, as in GGUF
  int block_elems;        // values per block
  int block_bytes;
  // blocks of n values (n a multiple of block_elems) -> n floats; null where plumb knows the size
  // but not the layout
  void (*decode)(const uint8_t* blocks, float* values, int64_t n) = nullptr;
  // the reverse, bit-equal to the Python package gguf; null where plumb does not write the format
  void (*encode)(const float* values, uint8_t* blocks, int64_t n) = nullptr;
};

std::span<const FormatInfo> all_formats();             // in order of id
const FormatInfo* find_format(uint32_t gguf_type_id);  // null: unknown or retired id
const FormatInfo* find_format(std::string_view name);  // any case; null: unknown
const FormatInfo& format_info(Format format);

// Bytes of n values; n must be a multiple of the block (CHECK).
int64_t format_bytes(Format format, int64_t n);

// Half and bfloat16, exact in both directions (round to nearest even, subnormals, infinities, NaN
// stays NaN).
float f16_to_f32(uint16_t bits);
uint16_t f32_to_f16(float value);
float bf16_to_f32(uint16_t bits);
uint16_t f32_to_bf16(float value);

}  // namespace plumb
