// Decoding and encoding against the Python package gguf, bit by bit: every type, thousands of
// blocks, special scales included.

#include "formats/vectors.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "base/error.h"

namespace plumb::test {
namespace {

std::vector<float> decode(const FormatInfo& format, std::span<const uint8_t> blocks) {
  std::vector<float> values(blocks.size() / static_cast<size_t>(format.block_bytes) *
                            static_cast<size_t>(format.block_elems));
  format.decode(blocks.data(), values.data(), static_cast<int64_t>(values.size()));
  return values;
}

std::vector<uint8_t> encode(const FormatInfo& format, std::span<const float> values) {
  const auto n = static_cast<int64_t>(values.size());
  std::vector<uint8_t> blocks(static_cast<size_t>(format_bytes(format.format, n)));
  format.encode(values.data(), blocks.data(), n);
  return blocks;
}

// What the checksums of vectors.txt are taken of.
std::vector<uint8_t> decoder_input(const FormatInfo& format) {
  if (format.block_elems > 1) return vector_blocks(format);
  std::vector<uint8_t> every(2 * 65536);
  for (size_t i = 0; i < 65536; ++i) std::memcpy(&every[2 * i], &i, 2);
  return every;
}

std::string hex_bits(std::span<const float> values) {
  return fmt::format("{:08x}", fmt::join(comparable_bits(values), ""));
}

// The k-th of n equal parts.
template <typename T>
std::span<const T> part(const std::vector<T>& all, size_t k, size_t n) {
  const size_t size = all.size() / n;
  return std::span(all).subspan(k * size, size);
}

struct Line {
  const FormatInfo* format;
  size_t number;
  std::string expected;
};

std::vector<Line> lines(const std::string& kind) {
  std::vector<Line> out;
  for (const auto& fields : vector_lines())
    if (fields.at(0) == kind)
      out.push_back({find_format(fields.at(1)), std::stoul(fields.at(2)), fields.at(3)});
  return out;
}

TEST(FormatVectors, whole_blocks_decode_as_the_python_package_does) {
  const auto all = lines("decoded");
  ASSERT_EQ(all.size(), 13 * 3u);
  for (const Line& line : all) {
    const auto values =
        decode(*line.format, part(vector_blocks(*line.format), line.number, kVectorBlocks));
    EXPECT_EQ(hex_bits(values), line.expected) << line.format->name << " block " << line.number;
  }
}

TEST(FormatVectors, every_type_decodes_bit_by_bit) {
  const auto all = lines("decode");
  ASSERT_EQ(all.size(), 15u);  // all decoders but F32
  for (const Line& line : all) {
    const auto values = decode(*line.format, decoder_input(*line.format));
    EXPECT_EQ(values.size(), line.number * static_cast<size_t>(line.format->block_elems));
    EXPECT_EQ(fmt::format("{:016x}", checksum(comparable_bits(values))), line.expected)
        << line.format->name;
  }
}

TEST(FormatVectors, the_floats_to_encode_are_those_of_the_generator) {
  const auto all = lines("floats");
  ASSERT_EQ(all.size(), 1u);
  const auto floats = vector_floats();
  EXPECT_EQ(fmt::format("{:016x}", checksum(comparable_bits(floats))), all[0].expected);
}

TEST(FormatVectors, whole_blocks_encode_as_the_python_package_does) {
  const auto all = lines("encoded");
  ASSERT_EQ(all.size(), 7 * 13u);
  const auto floats = vector_floats();
  for (const Line& line : all) {
    const auto blocks = encode(*line.format, part(floats, line.number, kVectorBlocks));
    EXPECT_EQ(fmt::format("{:02x}", fmt::join(blocks, "")), line.expected)
        << line.format->name << " block " << line.number;
  }
}

TEST(FormatVectors, every_encoder_of_the_package_is_matched_bit_by_bit) {
  const auto all = lines("encode");
  ASSERT_EQ(all.size(), 7u);
  const auto floats = vector_floats();
  for (const Line& line : all) {
    const auto blocks = encode(*line.format, floats);
    const std::vector<uint32_t> words(blocks.begin(), blocks.end());
    EXPECT_EQ(fmt::format("{:016x}", checksum(words)), line.expected) << line.format->name;
  }
}

}  // namespace
}  // namespace plumb::test
