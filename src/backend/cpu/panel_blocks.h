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

}  // namespace plumb::cpu
