// The table of formats, half floats, and what holds for every codec.

#include "formats/format.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <set>

#include "formats/blocks.h"
#include "formats/vectors.h"
#include "support/random.h"
#include "support/random_blocks.h"

namespace plumb::test {
namespace {

TEST(Formats, sizes_of_all_types_are_those_of_the_python_package) {
  int n = 0;
  for (const auto& fields : vector_lines()) {
    if (fields[0] != "type") continue;
    const FormatInfo* info = find_format(static_cast<uint32_t>(std::stoul(fields[2])));
    ASSERT_NE(info, nullptr) << fields[1];
    EXPECT_EQ(info->name, fields[1]);
    EXPECT_EQ(info->block_elems, std::stoi(fields[3])) << fields[1];
    // The package gives Q8_1, which no file holds, two f32 scales; ggml has had halves since 2023.
    if (info->format != Format::q8_1) {
      EXPECT_EQ(info->block_bytes, std::stoi(fields[4])) << fields[1];
    }
    ++n;
  }
  EXPECT_GE(n, 33);
}

TEST(Formats, retired_and_unknown_ids_are_refused) {
  for (const uint32_t id : {4u, 5u, 31u, 32u, 33u, 36u, 37u, 38u, 43u, 255u, 0x80000000u, ~0u})
    EXPECT_EQ(find_format(id), nullptr) << id;
  EXPECT_EQ(all_formats().size(), 35u);
}

TEST(Formats, rows_stand_in_order_of_id_and_find_themselves) {
  uint32_t next = 0;
  for (const FormatInfo& info : all_formats()) {
    EXPECT_GE(static_cast<uint32_t>(info.format), next);
    next = static_cast<uint32_t>(info.format) + 1;
    EXPECT_EQ(find_format(info.name), &info);
    EXPECT_EQ(&format_info(info.format), &info);
  }
  EXPECT_EQ(find_format("q4_k")->format, Format::q4_k);
  EXPECT_EQ(find_format("bF16")->format, Format::bf16);
  EXPECT_EQ(find_format("Q4"), nullptr);
  EXPECT_EQ(find_format(""), nullptr);
}

TEST(Formats, the_promised_formats_decode_and_encode) {
  std::set<std::string> decode, encode;
  for (const FormatInfo& info : all_formats()) {
    if (info.decode) decode.emplace(info.name);
    if (info.encode) encode.emplace(info.name);
  }
  EXPECT_EQ(decode, (std::set<std::string>{"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1",
                                           "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL",
                                           "IQ4_XS", "MXFP4"}));
  EXPECT_EQ(encode, (std::set<std::string>{"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1",
                                           "Q8_0", "IQ4_NL"}));
}

TEST(Formats, bytes_of_n_values) {
  EXPECT_EQ(format_bytes(Format::q4_0, 64), 36);
  EXPECT_EQ(format_bytes(Format::q6_k, 512), 420);
  EXPECT_EQ(format_bytes(Format::f32, 0), 0);
  EXPECT_DEATH(format_bytes(Format::q4_0, 33), "33 values of Q4_0");
}

TEST(Half, every_pattern_survives_the_way_through_float) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto b = static_cast<uint16_t>(bits);
    const bool f16_nan = (b & 0x7fff) > 0x7c00, bf16_nan = (b & 0x7fff) > 0x7f80;
    EXPECT_EQ(std::isnan(f16_to_f32(b)), f16_nan);
    EXPECT_EQ(std::isnan(bf16_to_f32(b)), bf16_nan);
    EXPECT_EQ(f32_to_f16(f16_to_f32(b)), b) << bits;  // a NaN with its payload
    EXPECT_EQ(f32_to_bf16(bf16_to_f32(b)), bf16_nan ? b | 0x40 : b) << bits;  // quiet
  }
}

TEST(Half, rounds_to_nearest_even_between_all_neighbours) {
  for (uint16_t b = 0; b < 0x7c00; ++b) {
    const double low = f16_to_f32(b);
    const double high = b == 0x7bff ? 65536.0 : f16_to_f32(static_cast<uint16_t>(b + 1));
    const auto middle = static_cast<float>((low + high) / 2);  // exact: f32 has the bits
    const uint16_t even = b % 2 == 0 ? b : static_cast<uint16_t>(b + 1);
    EXPECT_EQ(f32_to_f16(middle), even) << b;
    EXPECT_EQ(f32_to_f16(std::nextafter(middle, 0.0f)), b) << b;
    EXPECT_EQ(f32_to_f16(std::nextafter(middle, 1e9f)), b + 1) << b;
    EXPECT_EQ(f32_to_f16(-middle), even | 0x8000) << b;
  }
  EXPECT_EQ(f32_to_f16(3e38f), 0x7c00);
  EXPECT_EQ(f32_to_f16(1e-45f), 0);
  EXPECT_EQ(f32_to_f16(std::bit_cast<float>(0x7f800001u)), 0x7c01);  // a payload that is lost
}

TEST(Codecs, blocks_may_start_at_any_byte) {
  Random random(5);
  for (const FormatInfo& info : all_formats()) {
    if (!info.decode) continue;
    const int64_t n = 2 * info.block_elems;
    const auto blocks = random_blocks(info.format, n, random);
    std::vector<uint8_t> shifted = {0};
    shifted.insert(shifted.end(), blocks.begin(), blocks.end());
    std::vector<float> values(static_cast<size_t>(n));
    info.decode(shifted.data() + 1, values.data(), n);
    EXPECT_EQ(comparable_bits(values), comparable_bits(decoded(info.format, blocks))) << info.name;
    if (!info.encode) continue;
    std::vector<uint8_t> again(blocks.size() + 1);
    info.encode(values.data(), again.data() + 1, n);
    info.decode(again.data() + 1, values.data(), n);
  }
}

TEST(Codecs, no_values_touch_no_memory) {
  for (const FormatInfo& info : all_formats()) {
    if (info.decode) info.decode(nullptr, nullptr, 0);
    if (info.encode) info.encode(nullptr, nullptr, 0);
  }
}

// Root mean square of encode-decode errors, relative to that of the values.
double relative_error(const FormatInfo& info, const std::vector<float>& values) {
  std::vector<uint8_t> blocks(
      static_cast<size_t>(format_bytes(info.format, static_cast<int64_t>(values.size()))));
  info.encode(values.data(), blocks.data(), static_cast<int64_t>(values.size()));
  const auto back = decoded(info.format, blocks);
  double error = 0, power = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    error += std::pow(static_cast<double>(values[i]) - back[i], 2);
    power += std::pow(static_cast<double>(values[i]), 2);
  }
  return std::sqrt(error / power);
}

TEST(Codecs, encoders_err_as_little_as_their_bits_allow) {
  const auto values = Random(7).normals(32 * 4096);
  const auto error = [&](const char* name) { return relative_error(*find_format(name), values); };
  EXPECT_EQ(error("F32"), 0);
  EXPECT_LT(error("F16"), 0.0003);
  EXPECT_LT(error("BF16"), 0.002);
  EXPECT_LT(error("Q8_0"), 0.0065);
  EXPECT_LT(error("Q5_0"), 0.048);
  EXPECT_LT(error("Q5_1"), 0.042);
  EXPECT_LT(error("Q4_0"), 0.095);
  EXPECT_LT(error("Q4_1"), 0.085);
  EXPECT_LT(error("IQ4_NL"), 0.0745);
}

// Sum of squared errors of one block under the best of all half-float scales.
double best_iq4_nl_error(std::span<const float> values) {
  double best = INFINITY;
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float d = f16_to_f32(static_cast<uint16_t>(bits));
    if (!(std::fabs(d) < 0.1f && std::fabs(d) > 0.005f)) continue;
    double error = 0;
    for (const float v : values) {
      double nearest = INFINITY;
      for (const int8_t level : kIq4Values)
        nearest = std::min(nearest, std::fabs(v - double{d} * level));
      error += nearest * nearest;
    }
    best = std::min(best, error);
  }
  return best;
}

TEST(Codecs, iq4_nl_finds_nearly_the_best_scale) {
  const auto values = Random(8).normals(32 * 12);
  const FormatInfo& info = format_info(Format::iq4_nl);
  double found = 0, best = 0;
  for (size_t at = 0; at < values.size(); at += 32) {
    const auto block = std::span(values).subspan(at, 32);
    uint8_t bytes[18];
    info.encode(block.data(), bytes, 32);
    float back[32];
    info.decode(bytes, back, 32);
    for (size_t i = 0; i < 32; ++i) found += std::pow(double{block[i]} - back[i], 2);
    best += best_iq4_nl_error(block);
  }
  EXPECT_GE(found, best * 0.999999);
  EXPECT_LT(found, best * 1.03);
}

TEST(Codecs, iq4_nl_takes_any_float) {
  const FormatInfo& info = format_info(Format::iq4_nl);
  const auto values = vector_floats();
  for (size_t at = 0; at < values.size(); at += 32) {
    uint8_t bytes[18];
    float back[32];
    info.encode(&values[at], bytes, 32);
    info.decode(bytes, back, 32);
    float largest = 0;
    bool finite = true;
    for (size_t i = 0; i < 32; ++i) {
      finite = finite && std::isfinite(values[at + i]);
      largest = std::max(largest, std::fabs(values[at + i]));
    }
    if (!finite || largest > 1e6f) continue;  // beyond a half-float scale: only no crash
    for (size_t i = 0; i < 32; ++i)
      EXPECT_LE(std::fabs(back[i] - values[at + i]), 0.15f * largest + 127 * 0x1p-25f) << at;
  }
}

}  // namespace
}  // namespace plumb::test
