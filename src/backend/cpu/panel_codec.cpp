#include "backend/cpu/panel_codec.h"

#include <cstddef>

#include "backend/cpu/panel_blocks.h"
#include "backend/cpu/panel_words.h"
#include "formats/blocks.h"

namespace plumb::cpu {
namespace {

// Bits of words of which each has a few of every column of a run, on the way to words of which each
// has all of a column's: the number of a word and the place of a bit in its byte change roles.
constexpr auto kTurnNibbles = [](Words* w) {  // 8 words
  for (int i = 0; i < 4; ++i) exchange<4>(w[i], w[i + 4]);
};
constexpr auto kTurnPairs = [](Words* w) {  // 4 words
  for (int i = 0; i < 2; ++i) exchange<4>(w[i], w[i + 2]);
  for (int i = 0; i < 4; i += 2) exchange<2>(w[i], w[i + 1]);
};
constexpr auto kTurnBits = [](Words* w) {  // 8 words
  kTurnNibbles(w);
  for (const int i : {0, 1, 4, 5}) exchange<2>(w[i], w[i + 2]);
  for (int i = 0; i < 8; i += 2) exchange<1>(w[i], w[i + 1]);
};
constexpr auto kAsTheyAre = [](const Words*) {};

// Bit 4 g + j of the file is bit 8 j + g in a panel.
template <Way way>
Words turn_fifths(Words w) {
  if constexpr (way == Way::pack)
    return exchange_places<1, 0>(
        exchange_places<2, 1>(exchange_places<3, 0>(exchange_places<4, 1>(w))));
  return exchange_places<4, 1>(
      exchange_places<3, 0>(exchange_places<2, 1>(exchange_places<1, 0>(w))));
}

// Blocks of 32 columns: scale, minimum, fifth bits and codes follow each other in the file.
template <BlockLayout kLayout>
struct SmallBlock {
  static constexpr int kMinimumAt = kLayout.exponent ? 1 : 2;
  static constexpr int kFifthsAt = kMinimumAt + (kLayout.minimum ? 2 : 0);
  static constexpr int kCodesAt = kFifthsAt + (kLayout.bits == 5 ? 4 : 0);
  static constexpr int kColumns = 32, kFileBytes = kCodesAt + (kLayout.bits == 8 ? 32 : 16);
  static constexpr int kUnitBytes = kLayout.bytes();
  static constexpr bool kCodes = true, kHalfSums = false;

  template <Way way>
  static void move(const FourRows<way>& four) {
    if constexpr (kLayout.exponent)
      four.template values<uint8_t, 1>(0, 0);
    else
      four.template values<uint16_t, 1>(0, 0);
    if constexpr (kLayout.minimum)
      four.template values<uint16_t, 1>(kMinimumAt, kLayout.scale_bytes());
    if constexpr (kLayout.bits == 5) four.word(kFifthsAt, turn_fifths<way>, kLayout.fifths_at());
    const auto line = [](int i) { return kLayout.codes_at() + 64 * i; };
    if constexpr (kLayout.bits == 8)  // signed bytes become unsigned (+ 128) by their top bit
      four.template words<8>(
          kCodesAt,
          [](Words* w) {
            for (int i = 0; i < 8; ++i) w[i] ^= 0x80808080u;
          },
          line);
    else
      four.template words<4>(kCodesAt, kAsTheyAre, line);
  }
};

// Where the parts of a block of 256 columns stand in the file; -1: it has none.
struct FileParts {
  int d, dmin, small, codes, more;
};

template <typename Block, SuperLayout kLayout, FileParts kFile>
struct LargeBlock {
  static constexpr int kColumns = 256, kFileBytes = sizeof(Block);
  static constexpr int kUnitBytes = kLayout.bytes();
  static constexpr bool kCodes = true, kHalfSums = kLayout.parts == 2;

  // The line of a word of a block of 32 columns.
  static constexpr int at(int block, int word) {
    return kLayout.codes_at() + block * kLayout.block_bytes() + 64 * word;
  }

  template <Way way>
  static void move(const FourRows<way>& four) {
    four.template values<uint16_t, 1>(kFile.d, 0);
    if constexpr (kLayout.minimum) four.template values<uint16_t, 1>(kFile.dmin, 32);
    four.template values<uint8_t, kLayout.small_bytes()>(kFile.small, kLayout.small_at());
    move_codes(four);
    if constexpr (kLayout.bits % 2 == 1)  // 32 bytes: bit b of each is of block b
      four.template words<8>(kFile.more, kTurnBits,
                             [](int i) { return at(i, 0) + kLayout.more_at(); });
    if constexpr (kLayout.bits == 6) move_pairs<kLayout.more_at()>(four, kFile.more);
  }

 private:
  template <Way way>
  static void move_codes(const FourRows<way>& four) {
    if constexpr (kLayout.bits < 4) return move_pairs<0>(four, kFile.codes);
    if constexpr (kLayout.table != nullptr) {  // 16 bytes: the nibbles of a block
      for (int b = 0; b < 8; ++b)
        four.template words<4>(kFile.codes + 16 * b, kAsTheyAre, [b](int i) { return at(b, i); });
      return;
    }
    // 32 bytes: low nibbles of a block, high ones of the next (of the next but one in Q6_K)
    constexpr int kNext = kLayout.bits == 6 ? 2 : 1;
    for (int run = 0; run < 4; ++run) {
      const int first = kNext == 2 ? run / 2 * 4 + run % 2 : run * 2;
      four.template words<8>(kFile.codes + 32 * run, kTurnNibbles,
                             [first](int i) { return at(first + i / 4 * kNext, i % 4); });
    }
  }

  // Two bits per column: 16 bytes hold a half of four blocks.
  template <int kLine, Way way>
  static void move_pairs(const FourRows<way>& four, int file) {
    for (int run = 0; run < 4; ++run)
      four.template words<4>(file + 16 * run, kTurnPairs,
                             [run](int i) { return at(run / 2 * 4 + i, run % 2) + kLine; });
  }
};

// Numbers, as many columns as have 16 bytes.
template <typename T>
struct Numbers {
  static constexpr int kColumns = 16 / sizeof(T), kFileBytes = 16, kUnitBytes = 16 * kPanelRows;
  static constexpr bool kCodes = false, kHalfSums = false;

  static void move(const FourRows<Way::pack>& four) { four.template values<T, kColumns>(0, 0); }
};

// 16 short runs of bytes that go to as many lines are nothing that a processor foresees: the rows
// of the next panel, which follow those of this one, and the lines to come are asked for (twice as
// fast and more).
template <typename Unit>
void prefetch(const uint8_t* next_rows, const uint8_t* panel) {
  constexpr int kAhead = 4096;
  for (int i = 0; i < kPanelRows * Unit::kFileBytes; i += 64) __builtin_prefetch(next_rows + i);
  for (int i = 0; i < Unit::kUnitBytes; i += 64) __builtin_prefetch(panel + kAhead + i, 1);
}

template <typename Unit>
void pack(const uint8_t* rows, int64_t row_bytes, int64_t n_rows, int64_t n_units, uint8_t* panel) {
  static constexpr uint8_t kNoRow[Unit::kFileBytes] = {};
  const uint8_t* next = rows + kPanelRows * row_bytes;
  for (int64_t u = 0; u < n_units; ++u) {
    prefetch<Unit>(next + u * kPanelRows * Unit::kFileBytes, panel);
    for (int first = 0; first < kPanelRows; first += 4) {
      FourRows<Way::pack> four{{}, panel, first};
      for (int r = 0; r < 4; ++r)
        four.rows[r] = first + r < n_rows ? rows + (first + r) * row_bytes : kNoRow;
      Unit::move(four);
    }
    rows += Unit::kFileBytes;
    panel += Unit::kUnitBytes;
  }
}

template <typename Unit>
void unpack(const uint8_t* unit, int64_t row, uint8_t* block) {
  if constexpr (Unit::kCodes) {
    uint8_t others[3][Unit::kFileBytes];
    FourRows<Way::unpack> four{{}, unit, static_cast<int>(row / 4 * 4)};
    for (int r = 0, other = 0; r < 4; ++r) four.rows[r] = r == row % 4 ? block : others[other++];
    Unit::move(four);
  }
}

template <typename Unit>
constexpr PanelCodec codec(Format format) {
  return {format,
          Unit::kColumns,
          Unit::kUnitBytes,
          Unit::kCodes,
          Unit::kHalfSums,
          pack<Unit>,
          Unit::kCodes ? unpack<Unit> : nullptr};
}

#define PARTS(Block, small, codes, more)                                                       \
  FileParts {                                                                                  \
    offsetof(Block, d), dmin_of<Block>(), offsetof(Block, small), offsetof(Block, codes), more \
  }

template <typename Block>
constexpr int dmin_of() {
  if constexpr (requires(Block b) { b.dmin; }) return offsetof(Block, dmin);
  return -1;
}

constexpr PanelCodec kCodecs[] = {
    codec<SmallBlock<kQ4_0>>(Format::q4_0),
    codec<SmallBlock<kQ4_1>>(Format::q4_1),
    codec<SmallBlock<kQ5_0>>(Format::q5_0),
    codec<SmallBlock<kQ5_1>>(Format::q5_1),
    codec<SmallBlock<kQ8_0>>(Format::q8_0),
    codec<SmallBlock<kIq4Nl>>(Format::iq4_nl),
    codec<SmallBlock<kMxfp4>>(Format::mxfp4),
    codec<LargeBlock<BlockQ2K, kQ2K, PARTS(BlockQ2K, scales, q, -1)>>(Format::q2_k),
    codec<LargeBlock<BlockQ3K, kQ3K, PARTS(BlockQ3K, scales, q, offsetof(BlockQ3K, hmask))>>(
        Format::q3_k),
    codec<LargeBlock<BlockQ4K, kQ4K, PARTS(BlockQ4K, scales, q, -1)>>(Format::q4_k),
    codec<LargeBlock<BlockQ5K, kQ5K, PARTS(BlockQ5K, scales, q, offsetof(BlockQ5K, qh))>>(
        Format::q5_k),
    codec<LargeBlock<BlockQ6K, kQ6K, PARTS(BlockQ6K, scales, ql, offsetof(BlockQ6K, qh))>>(
        Format::q6_k),
    codec<LargeBlock<BlockIq4Xs, kIq4Xs, PARTS(BlockIq4Xs, scales_high, q, -1)>>(Format::iq4_xs),
    codec<Numbers<uint32_t>>(Format::f32),
    codec<Numbers<uint16_t>>(Format::f16),
    codec<Numbers<uint16_t>>(Format::bf16),
};

#undef PARTS

}  // namespace

const PanelCodec* panel_codec(Format format) {
  for (const PanelCodec& c : kCodecs)
    if (c.format == format) return &c;
  return nullptr;
}

}  // namespace plumb::cpu
