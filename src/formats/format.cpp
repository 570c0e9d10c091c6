// The table of formats and the questions that one asks it.

#include "formats/format.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "formats/codecs.h"

namespace plumb {
namespace {

using enum Format;

constexpr FormatInfo kFormats[] = {
    {f32, "F32", 1, 4, decode_f32, encode_f32},
    {f16, "F16", 1, 2, decode_f16, encode_f16},
    {q4_0, "Q4_0", 32, 18, decode_q4_0, encode_q4_0},
    {q4_1, "Q4_1", 32, 20, decode_q4_1, encode_q4_1},
    {q5_0, "Q5_0", 32, 22, decode_q5_0, encode_q5_0},
    {q5_1, "Q5_1", 32, 24, decode_q5_1, encode_q5_1},
    {q8_0, "Q8_0", 32, 34, decode_q8_0, encode_q8_0},
    {q8_1, "Q8_1", 32, 36},
    {q2_k, "Q2_K", 256, 84, decode_q2_k},
    {q3_k, "Q3_K", 256, 110, decode_q3_k},
    {q4_k, "Q4_K", 256, 144, decode_q4_k},
    {q5_k, "Q5_K", 256, 176, decode_q5_k},
    {q6_k, "Q6_K", 256, 210, decode_q6_k},
    {q8_k, "Q8_K", 256, 292},
    {iq2_xxs, "IQ2_XXS", 256, 66},
    {iq2_xs, "IQ2_XS", 256, 74},
    {iq3_xxs, "IQ3_XXS", 256, 98},
    {iq1_s, "IQ1_S", 256, 50},
    {iq4_nl, "IQ4_NL", 32, 18, decode_iq4_nl, encode_iq4_nl},
    {iq3_s, "IQ3_S", 256, 110},
    {iq2_s, "IQ2_S", 256, 82},
    {iq4_xs, "IQ4_XS", 256, 136, decode_iq4_xs},
    {i8, "I8", 1, 1},
    {i16, "I16", 1, 2},
    {i32, "I32", 1, 4},
    {i64, "I64", 1, 8},
    {f64, "F64", 1, 8},
    {iq1_m, "IQ1_M", 256, 56},
    {bf16, "BF16", 1, 2, decode_bf16, encode_bf16},
    {tq1_0, "TQ1_0", 256, 54},
    {tq2_0, "TQ2_0", 256, 66},
    {mxfp4, "MXFP4", 32, 17, decode_mxfp4},
    {nvfp4, "NVFP4", 64, 36},
    {q1_0, "Q1_0", 128, 18},
    {q2_0, "Q2_0", 64, 18},
};

// Row of each id; -1 for ids that are retired or not given out yet.
constexpr auto kRowOfId = [] {
  std::array<int8_t, 43> rows{};
  rows.fill(-1);
  for (size_t row = 0; row < std::size(kFormats); ++row)
    rows[static_cast<size_t>(kFormats[row].format)] = static_cast<int8_t>(row);
  return rows;
}();

bool equal_any_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

std::span<const FormatInfo> all_formats() {
  return kFormats;
}

const FormatInfo* find_format(uint32_t gguf_type_id) {
  if (gguf_type_id >= kRowOfId.size() || kRowOfId[gguf_type_id] < 0) return nullptr;
  return &kFormats[kRowOfId[gguf_type_id]];
}

const FormatInfo* find_format(std::string_view name) {
  const auto* row = std::ranges::find_if(
      kFormats, [&](const FormatInfo& f) { return equal_any_case(f.name, name); });
  return row == std::end(kFormats) ? nullptr : row;
}

const FormatInfo& format_info(Format format) {
  const FormatInfo* info = find_format(static_cast<uint32_t>(format));
  CHECK(info, "format id {}", static_cast<uint32_t>(format));
  return *info;
}

int64_t format_bytes(Format format, int64_t n) {
  const FormatInfo& info = format_info(format);
  CHECK(n >= 0 && n % info.block_elems == 0, "{} values of {}", n, info.name);
  return n / info.block_elems * info.block_bytes;
}

}  // namespace plumb
