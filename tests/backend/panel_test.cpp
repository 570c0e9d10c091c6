// Packing against a statement of both layouts that knows nothing of words and registers: where the
// code of a row and column stands in the file (formats/blocks.h) and where in a panel
// (panel_blocks.h).

#include "backend/cpu/panel.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>

#include "formats/blocks.h"
#include "support/random_blocks.h"

namespace plumb {
namespace {

using cpu::BlockLayout;
using cpu::SuperLayout;
using test::Random;

// n bytes of a block of the file, one after another, that stand line by line in a unit.
struct Bytes {
  size_t file_at;
  int size, n, unit_at;  // n values of `size` bytes
};

struct Statement {
  Format format;
  int columns, file_bytes, unit_bytes;
  int (*in_file)(const uint8_t* block, int column);
  int (*in_unit)(const uint8_t* unit, int row, int column);
  std::vector<Bytes> others;
};

// Nibbles of 32 columns and what one more bit adds.
int nibble(const uint8_t* codes, int row, int k) {
  return codes[64 * (k % 16 / 4) + 4 * row + k % 4] >> k / 16 * 4 & 15;
}
int bit(const uint8_t* bits, int row, int k) {
  return bits[4 * row + k % 4] >> k / 4 & 1;
}
int pair(const uint8_t* pairs, int row, int k) {
  return pairs[64 * (k / 16) + 4 * row + k % 4] >> k % 16 / 4 * 2 & 3;
}

template <BlockLayout kLayout>
int code_in_block(const uint8_t* unit, int row, int k) {
  const uint8_t* codes = unit + kLayout.codes_at();
  if (kLayout.bits == 8) return codes[64 * (k / 4) + 4 * row + k % 4];
  const int fifth = kLayout.bits == 5 ? bit(unit + kLayout.fifths_at(), row, k) : 0;
  return nibble(codes, row, k) + 16 * fifth;
}

template <SuperLayout kLayout>
int code_in_super_block(const uint8_t* unit, int row, int column) {
  const uint8_t* codes = unit + kLayout.codes_at() + column / 32 * kLayout.block_bytes();
  const uint8_t* more = codes + kLayout.more_at();
  const int k = column % 32;
  if (kLayout.bits == 2) return pair(codes, row, k);
  if (kLayout.bits == 3) return pair(codes, row, k) + 4 * bit(more, row, k);
  if (kLayout.bits == 4) return nibble(codes, row, k);
  if (kLayout.bits == 5) return nibble(codes, row, k) + 16 * bit(more, row, k);
  return nibble(codes, row, k) + 16 * pair(more, row, k);
}

template <typename Block>
int nibble_in_file(const uint8_t* bytes, int k) {
  return load_block<Block>(bytes).q[k % 16] >> k / 16 * 4 & 15;
}
template <typename Block>
int five_bits_in_file(const uint8_t* bytes, int k) {
  return nibble_in_file<Block>(bytes, k) + 16 * (load_block<Block>(bytes).qh[k / 8] >> k % 8 & 1);
}
int q8_in_file(const uint8_t* bytes, int k) {
  return load_block<BlockQ8_0>(bytes).q[k] + 128;
}
template <typename Block>
int pair_in_file(const uint8_t* bytes, int c) {
  return load_block<Block>(bytes).q[c / 128 * 32 + c % 32] >> c % 128 / 32 * 2 & 3;
}
int q3_k_in_file(const uint8_t* bytes, int c) {
  return pair_in_file<BlockQ3K>(bytes, c) +
         4 * (load_block<BlockQ3K>(bytes).hmask[c % 32] >> c / 32 & 1);
}
template <typename Block>
int k_nibble_in_file(const uint8_t* bytes, int c) {
  return load_block<Block>(bytes).q[c / 64 * 32 + c % 32] >> c % 64 / 32 * 4 & 15;
}
int q5_k_in_file(const uint8_t* bytes, int c) {
  return k_nibble_in_file<BlockQ5K>(bytes, c) +
         16 * (load_block<BlockQ5K>(bytes).qh[c % 32] >> c / 32 & 1);
}
int q6_k_in_file(const uint8_t* bytes, int c) {
  const auto b = load_block<BlockQ6K>(bytes);
  return (b.ql[c / 128 * 64 + c % 64] >> c % 128 / 64 * 4 & 15) +
         16 * (b.qh[c / 128 * 32 + c % 32] >> c % 128 / 32 * 2 & 3);
}
int iq4_xs_in_file(const uint8_t* bytes, int c) {
  return load_block<BlockIq4Xs>(bytes).q[c / 32 * 16 + c % 16] >> c % 32 / 16 * 4 & 15;
}

template <typename Block, BlockLayout kLayout>
Statement small(Format format, int (*in_file)(const uint8_t*, int)) {
  Statement s{format,
              32,
              sizeof(Block),
              kLayout.bytes(),
              in_file,
              code_in_block<kLayout>,
              {{0, kLayout.exponent ? 1 : 2, 1, 0}}};
  if (kLayout.minimum) s.others.push_back({2, 2, 1, kLayout.scale_bytes()});
  return s;
}

template <typename Block, SuperLayout kLayout>
Statement large(Format format, int (*in_file)(const uint8_t*, int), size_t d, size_t small) {
  Statement s{format,
              256,
              sizeof(Block),
              kLayout.bytes(),
              in_file,
              code_in_super_block<kLayout>,
              {{d, 2, 1, 0}, {small, 1, kLayout.small_bytes(), kLayout.small_at()}}};
  if (kLayout.minimum) s.others.push_back({d + 2, 2, 1, 32});
  return s;
}

std::vector<Statement> statements() {
  using namespace cpu;
  return {
      small<BlockQ4_0, kQ4_0>(Format::q4_0, nibble_in_file<BlockQ4_0>),
      small<BlockQ4_1, kQ4_1>(Format::q4_1, nibble_in_file<BlockQ4_1>),
      small<BlockQ5_0, kQ5_0>(Format::q5_0, five_bits_in_file<BlockQ5_0>),
      small<BlockQ5_1, kQ5_1>(Format::q5_1, five_bits_in_file<BlockQ5_1>),
      small<BlockQ8_0, kQ8_0>(Format::q8_0, q8_in_file),
      small<BlockIq4Nl, kIq4Nl>(Format::iq4_nl, nibble_in_file<BlockIq4Nl>),
      small<BlockMxfp4, kMxfp4>(Format::mxfp4, nibble_in_file<BlockMxfp4>),
      large<BlockQ2K, kQ2K>(Format::q2_k, pair_in_file<BlockQ2K>, offsetof(BlockQ2K, d),
                            offsetof(BlockQ2K, scales)),
      large<BlockQ3K, kQ3K>(Format::q3_k, q3_k_in_file, offsetof(BlockQ3K, d),
                            offsetof(BlockQ3K, scales)),
      large<BlockQ4K, kQ4K>(Format::q4_k, k_nibble_in_file<BlockQ4K>, offsetof(BlockQ4K, d),
                            offsetof(BlockQ4K, scales)),
      large<BlockQ5K, kQ5K>(Format::q5_k, q5_k_in_file, offsetof(BlockQ5K, d),
                            offsetof(BlockQ5K, scales)),
      large<BlockQ6K, kQ6K>(Format::q6_k, q6_k_in_file, offsetof(BlockQ6K, d),
                            offsetof(BlockQ6K, scales)),
      large<BlockIq4Xs, kIq4Xs>(Format::iq4_xs, iq4_xs_in_file, offsetof(BlockIq4Xs, d),
                                offsetof(BlockIq4Xs, scales_high)),
  };
}

// Bytes that are there, and nothing behind them: what reads or writes too far is found by the
// address sanitizer.
std::vector<uint8_t> some_bytes(int64_t n, Random& random) {
  std::vector<uint8_t> bytes(static_cast<size_t>(n));
  for (uint8_t& b : bytes) b = random.byte();
  return bytes;
}

void expect_packed(const Statement& s, int64_t n_rows, int64_t n_units, Random& random) {
  SCOPED_TRACE(testing::Message() << format_info(s.format).name << ": " << n_rows << " rows, "
                                  << n_units << " units");
  const int64_t row_bytes = n_units * s.file_bytes;
  const auto file = some_bytes(n_rows * row_bytes, random);
  auto panel = some_bytes(cpu::panel_bytes(s.format, n_units * s.columns), random);
  ASSERT_EQ(panel.size(), static_cast<size_t>(n_units * s.unit_bytes));
  cpu::pack_panel(s.format, file.data(), n_rows, n_units * s.columns, panel.data());
  const std::vector<uint8_t> nothing(static_cast<size_t>(s.file_bytes));
  for (int64_t u = 0; u < n_units; ++u)
    for (int row = 0; row < cpu::kPanelRows; ++row) {
      const uint8_t* block =
          row < n_rows ? file.data() + row * row_bytes + u * s.file_bytes : nothing.data();
      const uint8_t* unit = panel.data() + u * s.unit_bytes;
      for (int c = 0; c < s.columns; ++c)
        ASSERT_EQ(s.in_unit(unit, row, c), s.in_file(block, c)) << row << ", " << c;
      for (const Bytes& o : s.others)
        for (int k = 0; k < o.n; ++k)
          ASSERT_EQ(std::memcmp(unit + o.unit_at + (16 * k + row) * o.size,
                                block + o.file_at + static_cast<size_t>(k * o.size),
                                static_cast<size_t>(o.size)),
                    0)
              << row << ", " << k;
    }
}

TEST(CpuPanels, EveryCodeAndScaleHasItsPlace) {
  Random random(1);
  for (const Statement& s : statements())
    for (int64_t n_rows = 1; n_rows <= cpu::kPanelRows; ++n_rows)
      for (const int64_t n_units : {1, 2, 3}) expect_packed(s, n_rows, n_units, random);
}

TEST(CpuPanels, NumbersStandColumnByColumn) {
  Random random(2);
  for (const Format format : {Format::f32, Format::f16, Format::bf16})
    for (const int64_t n_rows : {1, 2, 3, 7, 15, 16})
      for (const int64_t columns : {1, 3, 4, 7, 8, 9, 20, 33}) {
        const int size = format_info(format).block_bytes;
        const auto file = some_bytes(n_rows * columns * size, random);
        auto panel = some_bytes(cpu::panel_bytes(format, columns), random);
        cpu::pack_panel(format, file.data(), n_rows, columns, panel.data());
        for (int64_t c = 0; c < columns; ++c)
          for (int64_t row = 0; row < cpu::kPanelRows; ++row)
            for (int64_t i = 0; i < size; ++i)
              ASSERT_EQ(
                  panel[static_cast<size_t>((c * cpu::kPanelRows + row) * size + i)],
                  row < n_rows ? file[static_cast<size_t>((row * columns + c) * size + i)] : 0)
                  << format_info(format).name << " " << n_rows << " x " << columns;
      }
}

TEST(CpuPanels, RowsComeBackAsTheDecoderHasThem) {
  Random random(3);
  for (const FormatInfo& info : all_formats()) {
    if (!cpu::has_panels(info.format)) continue;
    for (int64_t rows = 1; rows <= 18; ++rows) {
      const int64_t columns = info.block_elems == 1 ? 37 : info.block_elems * (1 + rows % 3);
      const auto file = test::random_blocks(info.format, rows * columns, random);
      const int64_t row_bytes = format_bytes(info.format, columns);
      cpu::Matrix m{.panel_stride = cpu::panel_bytes(info.format, columns),
                    .rows = rows,
                    .columns = columns,
                    .format = info.format};
      std::vector<uint8_t> panels(static_cast<size_t>(m.panels() * m.panel_stride));
      for (int64_t p = 0; p < m.panels(); ++p)
        cpu::pack_panel(info.format, file.data() + 16 * p * row_bytes,
                        std::min(cpu::kPanelRows, rows - 16 * p), columns,
                        panels.data() + p * m.panel_stride);
      m.data = panels.data();
      const std::vector<float> expected = test::decoded(info.format, file);
      std::vector<float> row(static_cast<size_t>(columns));
      for (int64_t r = 0; r < rows; ++r) {
        cpu::decode_row(m, r, row.data());
        ASSERT_EQ(std::memcmp(row.data(), &expected[static_cast<size_t>(r * columns)],
                              row.size() * sizeof(float)),
                  0)
            << info.name << ", row " << r << " of " << rows;
      }
    }
  }
}

TEST(CpuPanels, TakeAsManyBytesAsTheFile) {
  for (const FormatInfo& info : all_formats()) {
    if (!cpu::has_panels(info.format)) continue;
    EXPECT_EQ(cpu::panel_bytes(info.format, 768), format_bytes(info.format, 16 * 768)) << info.name;
  }
}

}  // namespace
}  // namespace plumb
