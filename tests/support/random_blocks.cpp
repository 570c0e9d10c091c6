#include "support/random_blocks.h"

#include "base/error.h"
#include "formats/blocks.h"

namespace plumb::test {
namespace {

// Gives a block of random bytes scales so that its values have about the asked deviation: codes are
// uniform, so each type has a known deviation under d = 1.
void set_scales(BlockQ2K& b, float deviation, Random&) {
  b.d = f32_to_f16(deviation / 14);  // step 0..15 times code 0..3, less about the same again
  b.dmin = f32_to_f16(deviation / 10);
}
void set_scales(BlockQ3K& b, float deviation, Random&) {
  b.d = f32_to_f16(deviation / 43);
}
void set_scales(BlockQ4K& b, float deviation, Random&) {
  b.d = f32_to_f16(deviation / 260);
  b.dmin = f32_to_f16(deviation / 35);
}
void set_scales(BlockQ5K& b, float deviation, Random&) {
  b.d = f32_to_f16(deviation / 530);
  b.dmin = f32_to_f16(deviation / 35);
}
void set_scales(BlockQ6K& b, float deviation, Random&) {
  b.d = f32_to_f16(deviation / 1365);
}
void set_scales(BlockIq4Xs& b, float deviation, Random&) {
  b.d = f32_to_f16(deviation / 1240);
}
void set_scales(BlockMxfp4& b, float deviation, Random& random) {
  const int exponent = static_cast<int>(std::lround(std::log2(deviation / 7.5f)));
  b.e = static_cast<uint8_t>(128 + exponent + static_cast<int>(random.below(3)) - 1);
}

template <typename Block>
void fill(std::vector<uint8_t>& bytes, Random& random, float deviation) {
  for (uint8_t& byte : bytes) byte = random.byte();
  for (size_t at = 0; at < bytes.size(); at += sizeof(Block)) {
    auto block = load_block<Block>(bytes.data() + at);
    set_scales(block, deviation, random);
    std::memcpy(bytes.data() + at, &block, sizeof block);
  }
}

}  // namespace

std::vector<uint8_t> random_blocks(Format format, int64_t n, Random& random, float deviation) {
  std::vector<uint8_t> bytes(static_cast<size_t>(format_bytes(format, n)));
  if (const auto encode = format_info(format).encode) {
    encode(random.normals(n, 0, deviation).data(), bytes.data(), n);
    return bytes;
  }
  switch (format) {
    case Format::q2_k:
      fill<BlockQ2K>(bytes, random, deviation);
      break;
    case Format::q3_k:
      fill<BlockQ3K>(bytes, random, deviation);
      break;
    case Format::q4_k:
      fill<BlockQ4K>(bytes, random, deviation);
      break;
    case Format::q5_k:
      fill<BlockQ5K>(bytes, random, deviation);
      break;
    case Format::q6_k:
      fill<BlockQ6K>(bytes, random, deviation);
      break;
    case Format::iq4_xs:
      fill<BlockIq4Xs>(bytes, random, deviation);
      break;
    case Format::mxfp4:
      fill<BlockMxfp4>(bytes, random, deviation);
      break;
    default:
      CHECK(false, "no random blocks of {}", format_info(format).name);
  }
  return bytes;
}

std::vector<float> decoded(Format format, const std::vector<uint8_t>& blocks) {
  const FormatInfo& info = format_info(format);
  const auto n = static_cast<int64_t>(blocks.size()) / info.block_bytes * info.block_elems;
  std::vector<float> values(static_cast<size_t>(n));
  info.decode(blocks.data(), values.data(), n);
  return values;
}

}  // namespace plumb::test
