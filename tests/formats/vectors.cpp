#include "formats/vectors.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include "support/random.h"

namespace plumb::test {
namespace {

constexpr uint16_t kSpecial[] = {0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x7BFF, 0xFBFF,
                                 0x7C00, 0xFC00, 0x7E00, 0xFE01, 0x7C01, 0x3C00, 0xBC00};
constexpr size_t kSpecials = std::size(kSpecial);

// Where the half-float scales of a block are.
const std::vector<size_t>& scales_of(Format format) {
  static const std::map<Format, std::vector<size_t>> offsets = {
      {Format::q4_0, {0}},    {Format::q4_1, {0, 2}}, {Format::q5_0, {0}},
      {Format::q5_1, {0, 2}}, {Format::q8_0, {0}},    {Format::q2_k, {80, 82}},
      {Format::q3_k, {108}},  {Format::q4_k, {0, 2}}, {Format::q5_k, {0, 2}},
      {Format::q6_k, {208}},  {Format::iq4_nl, {0}},  {Format::iq4_xs, {0}},
      {Format::mxfp4, {}}};
  return offsets.at(format);
}

uint64_t mix(uint64_t state) {
  return Random(state - 0x9E3779B97F4A7C15).next();
}

// One block of floats in [-1, 1) becomes one of its kind (index % 13); k is a random number of the
// block's own.
void shape_block(float* x, int64_t index, uint64_t k) {
  const auto scale = [&](int exponent) {
    for (int i = 0; i < 32; ++i) x[i] *= std::ldexp(1.0f, exponent);
  };
  const auto set = [&](auto value) {
    for (int i = 0; i < 32; ++i) x[i] = value(i);
  };
  const float first = x[0];
  switch (index % 13) {
    case 1:
      return scale(static_cast<int>(k % 61) - 30);
    case 2:
      return set([](int) { return 0.0f; });
    case 3:
      return set([=](int) { return first; });
    case 4:
      return set([=](int i) { return i == static_cast<int>(k % 32) ? x[i] : 0.0f; });
    case 5:
      return set([](int) { return -0.0f; });
    case 6:
      return scale(-20 - static_cast<int>(k % 12));
    case 7:
      return scale(10 + static_cast<int>(k % 117));
    case 8:
      return scale(-112 - static_cast<int>(k % 12));
    case 9:
      return set([=](int i) { return std::trunc(x[i] * 16) * 0.5f; });
    case 10:
      return set([=](int i) { return x[i] < 0 ? -1.0f : 1.0f; });
    case 11:
      x[k % 32] = NAN;
      return;
    case 12:
      x[k % 32] = k % 64 < 32 ? INFINITY : -INFINITY;
      return;
    default:
      return;
  }
}

}  // namespace

std::vector<uint8_t> vector_blocks(const FormatInfo& format) {
  const auto size = static_cast<size_t>(format.block_bytes);
  std::vector<uint8_t> blocks(static_cast<size_t>(kVectorBlocks) * size);
  Random random(static_cast<uint64_t>(format.format));
  for (size_t at = 0; at < blocks.size(); at += 8) {
    const uint64_t word = random.next();
    std::memcpy(&blocks[at], &word, std::min<size_t>(8, blocks.size() - at));
  }
  const std::vector<size_t>& offsets = scales_of(format.format);
  for (size_t i = 0; i < kSpecials * kSpecials; ++i) {
    const uint16_t pair[2] = {kSpecial[i % kSpecials], kSpecial[i / kSpecials]};
    for (size_t k = 0; k < offsets.size(); ++k)
      std::memcpy(&blocks[i * size + offsets[k]], &pair[k], 2);
  }
  if (format.format == Format::mxfp4)
    for (size_t i = 0; i < 256; ++i) blocks[i * size] = static_cast<uint8_t>(i);
  return blocks;
}

std::vector<float> vector_floats() {
  Random random(99);
  std::vector<float> values;
  for (int64_t block = 0; block < kVectorBlocks; ++block) {
    for (int i = 0; i < 32; ++i)
      values.push_back(static_cast<float>(static_cast<int32_t>(random.next() >> 32)) * 0x1p-31f);
    shape_block(&values[values.size() - 32], block, random.next() >> 40);
  }
  return values;
}

std::vector<uint32_t> comparable_bits(std::span<const float> values) {
  std::vector<uint32_t> bits;
  bits.reserve(values.size());
  for (const float v : values)
    bits.push_back(std::isnan(v) ? 0x7FC00000u : std::bit_cast<uint32_t>(v));
  return bits;
}

uint64_t checksum(std::span<const uint32_t> words) {
  uint64_t sum = 0, offset = 0;
  for (const uint32_t word : words) {
    sum += mix(word + offset);
    offset += 0x9E3779B97F4A7C15;
  }
  return sum;
}

std::vector<std::vector<std::string>> vector_lines() {
  std::ifstream file(PLUMB_TEST_DATA "/formats/vectors.txt");
  std::vector<std::vector<std::string>> lines;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    auto& fields = lines.emplace_back();
    for (std::string word; words >> word;) fields.push_back(word);
  }
  return lines;
}

}  // namespace plumb::test
