#pragma once
// How each format's rows stand in the file and in a panel (panel_blocks.h), stated once for both
// ways.

#include <cstdint>

#include "formats/format.h"

namespace plumb::cpu {

struct PanelCodec {
  Format format;
  int64_t columns, bytes;  // of a unit: 16 rows of as many columns
  bool codes;              // or numbers
  bool half_sums;          // the kernels read sums of 16 columns of the activations

  // n_units units of n_rows (1..16) rows, row_bytes apart. Rows that there are not are zero bytes
  // in the file.
  void (*pack)(const uint8_t* rows, int64_t row_bytes, int64_t n_rows, int64_t n_units,
               uint8_t* panel);
  // One row of a unit, as in the file. Null for numbers.
  void (*unpack)(const uint8_t* unit, int64_t row, uint8_t* block);
};

// Null: a format without panels.
const PanelCodec* panel_codec(Format format);

}  // namespace plumb::cpu
