#pragma once
// The codecs that the table of formats points at, one source file per family, and the loop over
// blocks that they share. All take n values, n a multiple of the block.

#include <cstdint>

#include "formats/blocks.h"

namespace plumb {

using Decoder = void(const uint8_t* blocks, float* values, int64_t n);
using Encoder = void(const float* values, uint8_t* blocks, int64_t n);

Decoder decode_f32, decode_f16, decode_bf16;
Decoder decode_q4_0, decode_q4_1, decode_q5_0, decode_q5_1, decode_q8_0;
Decoder decode_q2_k, decode_q3_k, decode_q4_k, decode_q5_k, decode_q6_k;
Decoder decode_iq4_nl, decode_iq4_xs, decode_mxfp4;

Encoder encode_f32, encode_f16, encode_bf16;
Encoder encode_q4_0, encode_q4_1, encode_q5_0, encode_q5_1, encode_q8_0, encode_iq4_nl;

// decode(block, values) for each block.
template <typename Block, typename Decode>
void decode_each(const uint8_t* blocks, float* values, int64_t n, Decode decode) {
  for (int64_t at = 0; at < n; at += Block::kValues, blocks += sizeof(Block))
    decode(load_block<Block>(blocks), values + at);
}

// encode(values, block) for each block, which is all zeros before.
template <typename Block, typename Encode>
void encode_each(const float* values, uint8_t* blocks, int64_t n, Encode encode) {
  for (int64_t at = 0; at < n; at += Block::kValues, blocks += sizeof(Block)) {
    Block block{};
    encode(values + at, block);
    std::memcpy(blocks, &block, sizeof block);
  }
}

}  // namespace plumb
