#pragma once
// The layout of one block of a panel, 16 rows by 32 columns, for every format that has one. All of
// it in this order, each part for the 16 rows side by side:
//   scales   16 f16 (MXFP4: 16 exponent bytes)
//   minima   16 f16, where the format has them
//   codes    [4 groups][16 rows][4]: byte [g][r][j] holds column 4g+j in the low nibble and column
//            16+4g+j in the high one; for 8-bit codes [8 groups][16 rows][4] bytes, column 4g+j
//   fifths   [16 rows][4], 5-bit formats: bit g of byte [r][j] is the fifth bit of column 4g+j
// so that a 64-byte load is four columns of 16 rows. A block takes as many bytes as its 16 blocks
// of the file. Weight = scale * (code - offset) + minimum, where code is the stored one (signed
// bytes are stored + 128), or scale * (table[code] - 128) for formats with a table.

#include <cstdint>

namespace plumb::cpu {

struct BlockLayout {
  int bits;              // 4, 5 or 8
  bool minimum;          // f16 minima
  bool exponent;         // scales are E8M0 bytes
  int offset_bits;       // offset = 1 << offset_bits, 0: none
  const uint8_t* table;  // 16 values + 128, or null

  constexpr int scale_bytes() const { return exponent ? 16 : 32; }
  constexpr int codes_at() const { return scale_bytes() + (minimum ? 32 : 0); }
  constexpr int code_bytes() const { return bits == 8 ? 512 : 256; }
  constexpr int fifths_at() const { return codes_at() + code_bytes(); }
  constexpr int bytes() const { return fifths_at() + (bits == 5 ? 64 : 0); }
};

// Levels + 128, see formats/iq4.cpp and formats/mxfp4.cpp.
alignas(16) inline constexpr uint8_t kIq4Table[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                                      129, 141, 153, 166, 181, 197, 217, 241};
alignas(16) inline constexpr uint8_t kFp4Table[16] = {128, 129, 130, 131, 132, 134, 136, 140,
                                                      128, 127, 126, 125, 124, 122, 120, 116};

inline constexpr BlockLayout kQ4_0{4, false, false, 3, nullptr};
inline constexpr BlockLayout kQ4_1{4, true, false, 0, nullptr};
inline constexpr BlockLayout kQ5_0{5, false, false, 4, nullptr};
inline constexpr BlockLayout kQ5_1{5, true, false, 0, nullptr};
inline constexpr BlockLayout kQ8_0{8, false, false, 7, nullptr};
inline constexpr BlockLayout kIq4Nl{4, false, false, 7, kIq4Table};
inline constexpr BlockLayout kMxfp4{4, false, true, 7, kFp4Table};

// How the small scales of 256 columns stand in the file, and byte by byte in a panel.
enum class SmallScales {
  nibbles,      // Q2_K: 16 bytes, scale in the low nibble, minimum in the high one
  split_12,     // Q3_K: 16 scales of six bits, less 32, in 12 bytes
  with_minima,  // Q4_K, Q5_K: 8 scales and 8 minima of six bits in 12 bytes
  bytes,        // Q6_K: 16 signed bytes
  split_6       // IQ4_XS: 8 scales of six bits, less 32, in 6 bytes
};

// 16 rows by 256 columns, for formats whose blocks have small scales under one half float:
//   scales   16 f16
//   minima   16 f16, where the format has them: factors of the small minima
//   small    [bytes][16 rows], see SmallScales
//   and for each 32 columns
//   codes    4 to 6 bits: nibbles, as above
//            2 and 3 bits: [2 halves][16 rows][4], bits 2g and 2g+1 of byte [h][r][j] are column
//            16h+4g+j
//   more     3 and 5 bits: [16 rows][4], bit g of byte [r][j] is the top bit of column 4g+j
//            6 bits: [2 halves][16 rows][4] of two bits, as the codes of 2 bits
// Weight = scale * small scale * (code - offset) - minimum * small minimum.
struct SuperLayout {
  int bits;
  int parts;  // small scales per 32 columns: 1, or 2 (of columns 0..15 and 16..31)
  bool minimum;
  SmallScales small;
  int offset_bits;       // offset = 1 << offset_bits, 0: none
  const uint8_t* table;  // 16 values + 128, or null

  constexpr int small_at() const { return minimum ? 64 : 32; }
  constexpr int small_bytes() const {
    switch (small) {
      case SmallScales::nibbles:
      case SmallScales::bytes:
        return 16;
      case SmallScales::split_12:
      case SmallScales::with_minima:
        return 12;
      case SmallScales::split_6:
        return 6;
    }
    return 0;
  }
  constexpr int codes_at() const { return small_at() + 16 * small_bytes(); }
  constexpr int more_at() const { return bits < 4 ? 128 : 256; }  // in the block of 32 columns
  constexpr int block_bytes() const {
    return more_at() + (bits == 6 ? 128 : bits % 2 == 1 ? 64 : 0);
  }
  constexpr int bytes() const { return codes_at() + 8 * block_bytes(); }
};

inline constexpr SuperLayout kQ2K{2, 2, true, SmallScales::nibbles, 0, nullptr};
inline constexpr SuperLayout kQ3K{3, 2, false, SmallScales::split_12, 2, nullptr};
inline constexpr SuperLayout kQ4K{4, 1, true, SmallScales::with_minima, 0, nullptr};
inline constexpr SuperLayout kQ5K{5, 1, true, SmallScales::with_minima, 0, nullptr};
inline constexpr SuperLayout kQ6K{6, 2, false, SmallScales::bytes, 5, nullptr};
inline constexpr SuperLayout kIq4Xs{4, 1, false, SmallScales::split_6, 7, kIq4Table};

}  // namespace plumb::cpu
