#pragma once
// Random weights in any format that plumb decodes, encoder or not.

#include <cstdint>
#include <vector>

#include "formats/format.h"
#include "support/random.h"

namespace plumb::test {

// The blocks of n values (whole blocks) with mean about 0 and the given deviation. Where the format
// has an encoder these are encoded normal numbers; elsewhere random codes under scales that give
// that deviation roughly (within a factor of two).
std::vector<uint8_t> random_blocks(Format format, int64_t n, Random& random, float deviation = 1);

// The same values as floats: what the format's decoder says.
std::vector<float> decoded(Format format, const std::vector<uint8_t>& blocks);

}  // namespace plumb::test
