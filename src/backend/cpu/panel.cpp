#include "backend/cpu/panel.h"

#include <cstring>

#include "backend/cpu/panel_codec.h"
#include "base/error.h"

namespace plumb::cpu {
namespace {

void decode_coded_row(const Matrix& matrix, const PanelCodec& codec, int64_t row, float* out) {
  constexpr int kLargestBlock = 210;
  const auto decode = format_info(matrix.format).decode;
  const uint8_t* panel = matrix.data + row / kPanelRows * matrix.panel_stride;
  for (int64_t k = 0; k < matrix.columns; k += codec.columns, panel += codec.bytes) {
    uint8_t block[kLargestBlock];
    codec.unpack(panel, row % kPanelRows, block);
    decode(block, out + k, codec.columns);
  }
}

void decode_number_row(const Matrix& matrix, int64_t row, float* out) {
  const FormatInfo& info = format_info(matrix.format);
  const uint8_t* panel = matrix.data + row / kPanelRows * matrix.panel_stride;
  for (int64_t k = 0; k < matrix.columns; ++k)
    info.decode(panel + (k * kPanelRows + row % kPanelRows) * info.block_bytes, out + k, 1);
}

// Columns of numbers one by one: those that do not fill a unit.
void pack_columns(Format format, const uint8_t* rows, int64_t row_bytes, int64_t n_rows,
                  int64_t n_columns, uint8_t* panel) {
  const int bytes = format_info(format).block_bytes;
  std::memset(panel, 0, static_cast<size_t>(n_columns * kPanelRows * bytes));
  for (int64_t k = 0; k < n_columns; ++k)
    for (int64_t r = 0; r < n_rows; ++r)
      std::memcpy(panel + (k * kPanelRows + r) * bytes, rows + r * row_bytes + k * bytes,
                  static_cast<size_t>(bytes));
}

}  // namespace

bool has_panels(Format format) {
  return panel_codec(format) != nullptr;
}

bool reads_codes(Format format) {
  const PanelCodec* codec = panel_codec(format);
  return codec && codec->codes;
}

bool reads_half_sums(Format format) {
  const PanelCodec* codec = panel_codec(format);
  return codec && codec->half_sums;
}

int64_t panel_bytes(Format format, int64_t columns) {
  const PanelCodec* codec = panel_codec(format);
  CHECK(codec, "format {}", format_info(format).name);
  if (codec->codes) return columns / codec->columns * codec->bytes;
  return columns * kPanelRows * format_info(format).block_bytes;
}

void pack_panel(Format format, const uint8_t* rows, int64_t n_rows, int64_t columns,
                uint8_t* panel) {
  const PanelCodec& codec = *panel_codec(format);
  const int64_t row_bytes = format_bytes(format, columns), n_units = columns / codec.columns;
  codec.pack(rows, row_bytes, n_rows, n_units, panel);
  const int64_t done = n_units * codec.columns;
  if (done < columns)
    pack_columns(format, rows + format_bytes(format, done), row_bytes, n_rows, columns - done,
                 panel + n_units * codec.bytes);
}

void decode_row(const Matrix& matrix, int64_t row, float* out) {
  if (matrix.lives == Lives::in_file) {
    const int64_t row_bytes = format_bytes(matrix.format, matrix.columns);
    return format_info(matrix.format).decode(matrix.data + row * row_bytes, out, matrix.columns);
  }
  const PanelCodec& codec = *panel_codec(matrix.format);
  return codec.codes ? decode_coded_row(matrix, codec, row, out)
                     : decode_number_row(matrix, row, out);
}

}  // namespace plumb::cpu
