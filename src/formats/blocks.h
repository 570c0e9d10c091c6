#pragma once
// The byte layouts of quantised blocks, as they stand in a GGUF file: little-endian, no padding
// between fields. Every member has alignment 1 or 2, but a tensor may start at any byte: copy a
// block out (load_block) instead of casting a pointer to it. `d` and `m` are half floats (f16
// bits). Layouts: the GGUF specification and the block types of ggml.

#include <cstdint>
#include <cstring>

namespace plumb {

// 32 values each. In the packed 4-bit fields byte j holds value j in its low nibble and value j +
// 16 in its high nibble; bit i of qh (a little-endian u32) is the fifth bit of value i.
struct BlockQ4_0 {  // d * (q - 8)
  static constexpr int kValues = 32;
  uint16_t d;
  uint8_t q[16];
};
struct BlockQ4_1 {  // d * q + m
  static constexpr int kValues = 32;
  uint16_t d, m;
  uint8_t q[16];
};
struct BlockQ5_0 {  // d * (q - 16)
  static constexpr int kValues = 32;
  uint16_t d;
  uint8_t qh[4], q[16];
};
struct BlockQ5_1 {  // d * q + m
  static constexpr int kValues = 32;
  uint16_t d, m;
  uint8_t qh[4], q[16];
};
struct BlockQ8_0 {  // d * q
  static constexpr int kValues = 32;
  uint16_t d;
  int8_t q[32];
};
struct BlockIq4Nl {  // d * kIq4Values[q]
  static constexpr int kValues = 32;
  uint16_t d;
  uint8_t q[16];
};
struct BlockMxfp4 {  // 2^(e - 128) * kFp4Doubled[q]
  static constexpr int kValues = 32;
  uint8_t e, q[16];
};

// 256 values each, in 8 or 16 sub-blocks with integer scales of their own.
struct BlockQ2K {  // d * (scale & 15) * q - dmin * (scale >> 4)
  static constexpr int kValues = 256;
  uint8_t scales[16];  // one per 16 values
  uint8_t q[64];       // 128 values use 32 bytes: bits 0-1 values 0..31, bits 2-3 32..63, and so on
  uint16_t d, dmin;
};
struct BlockQ3K {  // d * (scale - 32) * (q - 4), q of three bits
  static constexpr int kValues = 256;
  uint8_t hmask[32];   // bit t of byte l: the third bit of value 32 t + l
  uint8_t q[64];       // low two bits, as Q2_K
  uint8_t scales[12];  // 16 scales of six bits: low four in the nibbles of bytes 0..7, high two in
                       // bytes 8..11
  uint16_t d;
};
struct BlockQ4K {  // d * scale * q - dmin * min
  static constexpr int kValues = 256;
  uint16_t d, dmin;
  uint8_t scales[12];  // 8 scales and 8 minima of six bits: see unpack_scale_min
  uint8_t q[128];      // 64 values use 32 bytes: low nibbles the first 32, high nibbles the others
};
struct BlockQ5K {  // as Q4_K with q of five bits
  static constexpr int kValues = 256;
  uint16_t d, dmin;
  uint8_t scales[12];
  uint8_t qh[32];  // bit j of byte l: the fifth bit of value 32 j + l
  uint8_t q[128];
};
struct BlockQ6K {  // d * scale * (q - 32)
  static constexpr int kValues = 256;
  uint8_t ql[128];    // low four bits; 128 values use 64 bytes: low nibbles values 0..63, high
                      // nibbles values 64..127
  uint8_t qh[64];     // high two bits, as the codes of Q2_K
  int8_t scales[16];  // one per 16 values
  uint16_t d;
};
struct BlockIq4Xs {  // d * (scale - 32) * kIq4Values[q]
  static constexpr int kValues = 256;
  uint16_t d;
  uint16_t scales_high;   // two bits for each of 8 sub-blocks of 32
  uint8_t scales_low[4];  // four bits each
  uint8_t q[128];         // 32 values use 16 bytes, as Q4_0
};

static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22);
static_assert(sizeof(BlockQ5_1) == 24 && sizeof(BlockQ8_0) == 34 && sizeof(BlockIq4Nl) == 18);
static_assert(sizeof(BlockMxfp4) == 17 && sizeof(BlockQ2K) == 84 && sizeof(BlockQ3K) == 110);
static_assert(sizeof(BlockQ4K) == 144 && sizeof(BlockQ5K) == 176 && sizeof(BlockQ6K) == 210);
static_assert(sizeof(BlockIq4Xs) == 136);

// The 16 levels of IQ4_NL and IQ4_XS.
inline constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                          1,    13,   25,  38,  53,  69,  89,  113};
// The E2M1 numbers of MXFP4, doubled so that they are integers. Code 8, minus zero, becomes plus
// zero, as it does elsewhere.
inline constexpr int8_t kFp4Doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

template <typename Block>
Block load_block(const uint8_t* bytes) {
  Block block;
  std::memcpy(&block, bytes, sizeof block);
  return block;
}

}  // namespace plumb
