#pragma once
// The inputs of tools/make_format_vectors.py, made again from the same random numbers; see there.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/format.h"

namespace plumb::test {

inline constexpr int64_t kVectorBlocks = 2048;

std::vector<uint8_t> vector_blocks(const FormatInfo& format);  // kVectorBlocks blocks
std::vector<float> vector_floats();                            // kVectorBlocks times 32

// Bits of floats, every NaN the same.
std::vector<uint32_t> comparable_bits(std::span<const float> values);
uint64_t checksum(std::span<const uint32_t> words);

// The lines of tests/data/formats/vectors.txt, split at blanks.
std::vector<std::vector<std::string>> vector_lines();

}  // namespace plumb::test
