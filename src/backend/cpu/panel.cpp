#include "backend/cpu/panel.h"

#include <cstring>

#include "backend/cpu/panel_super.h"
#include "base/error.h"

namespace plumb::cpu {
namespace {

struct CodeFormat {
  Format format;
  const BlockLayout* layout;
};
constexpr CodeFormat kCodeFormats[] = {
    {Format::q4_0, &kQ4_0},   {Format::q4_1, &kQ4_1}, {Format::q5_0, &kQ5_0},
    {Format::q5_1, &kQ5_1},   {Format::q8_0, &kQ8_0}, {Format::iq4_nl, &kIq4Nl},
    {Format::mxfp4, &kMxfp4},
};

const BlockLayout* code_layout(Format format) {
  for (const CodeFormat& f : kCodeFormats)
    if (f.format == format) return f.layout;
  return nullptr;
}

bool is_number(Format format) {
  return format == Format::f32 || format == Format::f16 || format == Format::bf16;
}

// Where the parts of a block stand in the file: scale, minimum, fifth bits and codes follow each
// other in every format that has panels.
struct FileBlock {
  int scale_bytes, minimum_at, fifths_at, codes_at, code_bytes;

  explicit FileBlock(const BlockLayout& layout)
      : scale_bytes(layout.exponent ? 1 : 2),
        minimum_at(scale_bytes),
        fifths_at(minimum_at + (layout.minimum ? 2 : 0)),
        codes_at(fifths_at + (layout.bits == 5 ? 4 : 0)),
        code_bytes(layout.bits == 8 ? 32 : 16) {}
  int bytes() const { return codes_at + code_bytes; }
};

// Four bytes at a time, from one distance between them to another. Signed bytes become unsigned
// (+ 128) and back by their top bit.
void move_codes(const BlockLayout& layout, const uint8_t* from, int from_step, uint8_t* to,
                int to_step) {
  const uint32_t flip = layout.bits == 8 ? 0x80808080 : 0;
  for (int i = 0; i < layout.code_bytes() / 64; ++i, from += from_step, to += to_step) {
    uint32_t four;
    std::memcpy(&four, from, 4);
    four ^= flip;
    std::memcpy(to, &four, 4);
  }
}

// Bytes [row][j] of the fifth bits: bit g is the bit of column 4g + j.
void pack_fifths(const uint8_t* fifths, uint8_t* out) {
  for (int column = 0; column < 32; ++column)
    out[column % 4] |= static_cast<uint8_t>((fifths[column / 8] >> column % 8 & 1) << column / 4);
}

void unpack_fifths(const uint8_t* packed, uint8_t* fifths) {
  std::memset(fifths, 0, 4);
  for (int column = 0; column < 32; ++column)
    fifths[column / 8] |=
        static_cast<uint8_t>((packed[column % 4] >> column / 4 & 1) << column % 8);
}

// One row's block of the file -> its places in a zeroed panel block.
void pack_block(const BlockLayout& layout, const uint8_t* block, int64_t row, uint8_t* out) {
  const FileBlock file(layout);
  std::memcpy(out + row * file.scale_bytes, block, static_cast<size_t>(file.scale_bytes));
  if (layout.minimum) std::memcpy(out + layout.scale_bytes() + row * 2, block + file.minimum_at, 2);
  if (layout.bits == 5) pack_fifths(block + file.fifths_at, out + layout.fifths_at() + row * 4);
  move_codes(layout, block + file.codes_at, 4, out + layout.codes_at() + row * 4, 64);
}

void unpack_block(const BlockLayout& layout, const uint8_t* packed, int64_t row, uint8_t* block) {
  const FileBlock file(layout);
  std::memcpy(block, packed + row * file.scale_bytes, static_cast<size_t>(file.scale_bytes));
  if (layout.minimum)
    std::memcpy(block + file.minimum_at, packed + layout.scale_bytes() + row * 2, 2);
  if (layout.bits == 5)
    unpack_fifths(packed + layout.fifths_at() + row * 4, block + file.fifths_at);
  move_codes(layout, packed + layout.codes_at() + row * 4, 64, block + file.codes_at, 4);
}

// Columns that stand together in panels of codes, and the bytes of 16 rows of them.
struct Unit {
  int64_t columns = 0, bytes = 0;  // 0: no codes
};
Unit unit_of(Format format) {
  if (const BlockLayout* layout = code_layout(format)) return {kBlockColumns, layout->bytes()};
  if (const SuperLayout* layout = super_layout(format)) return {256, layout->bytes()};
  return {};
}

// The blocks of n_rows rows, row_bytes apart, -> a zeroed unit.
void pack_unit(Format format, const uint8_t* blocks, int64_t row_bytes, int64_t n_rows,
               uint8_t* unit) {
  const BlockLayout* layout = code_layout(format);
  if (!layout) return pack_super_blocks(format, blocks, row_bytes, n_rows, unit);
  for (int64_t row = 0; row < n_rows; ++row)
    pack_block(*layout, blocks + row * row_bytes, row, unit);
}

void unpack_unit(Format format, const uint8_t* unit, int64_t row, uint8_t* block) {
  if (const BlockLayout* layout = code_layout(format))
    return unpack_block(*layout, unit, row, block);
  unpack_super_block(format, unit, row, block);
}

void decode_coded_row(const Matrix& matrix, int64_t row, float* out) {
  constexpr int kLargestBlock = 210;
  const auto decode = format_info(matrix.format).decode;
  const uint8_t* panel = matrix.data + row / kPanelRows * matrix.panel_stride;
  const Unit unit = unit_of(matrix.format);
  for (int64_t k = 0; k < matrix.columns; k += unit.columns, panel += unit.bytes) {
    uint8_t block[kLargestBlock];
    unpack_unit(matrix.format, panel, row % kPanelRows, block);
    decode(block, out + k, unit.columns);
  }
}

void decode_number_row(const Matrix& matrix, int64_t row, float* out) {
  const FormatInfo& info = format_info(matrix.format);
  const uint8_t* panel = matrix.data + row / kPanelRows * matrix.panel_stride;
  for (int64_t k = 0; k < matrix.columns; ++k)
    info.decode(panel + (k * kPanelRows + row % kPanelRows) * info.block_bytes, out + k, 1);
}

}  // namespace

bool has_panels(Format format) {
  return is_number(format) || reads_codes(format);
}

bool reads_codes(Format format) {
  return unit_of(format).columns > 0;
}

bool reads_half_sums(Format format) {
  const SuperLayout* layout = super_layout(format);
  return layout && layout->parts == 2;
}

int64_t panel_bytes(Format format, int64_t columns) {
  CHECK(has_panels(format), "format {}", format_info(format).name);
  const Unit unit = unit_of(format);
  if (unit.columns > 0) return columns / unit.columns * unit.bytes;
  return columns * kPanelRows * format_info(format).block_bytes;
}

void pack_panel(Format format, const uint8_t* rows, int64_t n_rows, int64_t columns,
                uint8_t* panel) {
  const int64_t row_bytes = format_bytes(format, columns);
  std::memset(panel, 0, static_cast<size_t>(panel_bytes(format, columns)));
  const int block_bytes = format_info(format).block_bytes;
  const Unit unit = unit_of(format);
  if (unit.columns > 0) {
    for (int64_t u = 0; u < columns / unit.columns; ++u)
      pack_unit(format, rows + u * block_bytes, row_bytes, n_rows, panel + u * unit.bytes);
    return;
  }
  for (int64_t r = 0; r < n_rows; ++r)
    for (int64_t k = 0; k < columns; ++k)
      std::memcpy(panel + (k * kPanelRows + r) * block_bytes,
                  rows + r * row_bytes + k * block_bytes, static_cast<size_t>(block_bytes));
}

void decode_row(const Matrix& matrix, int64_t row, float* out) {
  if (matrix.panel_stride > 0 && reads_codes(matrix.format))
    return decode_coded_row(matrix, row, out);
  if (matrix.panel_stride > 0 && is_number(matrix.format))
    return decode_number_row(matrix, row, out);
  const int64_t row_bytes = format_bytes(matrix.format, matrix.columns);
  format_info(matrix.format).decode(matrix.data + row * row_bytes, out, matrix.columns);
}

}  // namespace plumb::cpu
