#pragma once
// What matrix kernels work on: weights in panels, activations, outputs, and each thread's work
// space.

#include <cstdint>

#include "formats/format.h"

namespace plumb::cpu {

// Rows of a matrix that stand side by side in a panel: the f32 lanes of a 512-bit register.
inline constexpr int64_t kPanelRows = 16;
// Columns that share a scale in panels of codes, and in activations.
inline constexpr int64_t kBlockColumns = 32;

// n rows of activations as the matrix kernels read them. Panels of codes read the quantised form,
// panels of numbers the f32 form, or the rounded one where the processor multiplies bfloat16; a
// step fills those that its matrices ask for.
//
// Quantised: value = scale * (code + zero) in blocks of 32, zero being whole. Blocks that lean to
// one side, as most do around an outlier, use all 256 codes; the error against exact logits is 2.5
// times smaller than with codes around 0 (docs/experiments.md), for one more product per block:
// that of `zero` with the sum of the weights' codes.
struct Activations {
  int64_t columns = 0;
  float* values = nullptr;       // [n, columns]
  int8_t* codes = nullptr;       // [n, columns]
  float* scales = nullptr;       // [n, columns/32]
  int32_t* corners = nullptr;    // [n, columns/32] low half: zero; high half: -sum (code + zero)
  float* scaled_sums = nullptr;  // [n, columns/32] scale * sum (code + zero)
  // The same two of 16 columns each, for weights that have their scales so; null: not wanted.
  int32_t* half_corners = nullptr;  // [n, columns/16]
  float* half_sums = nullptr;       // [n, columns/16]

  // To bfloat16, an even number of them (the last one zero).
  uint16_t* rounded = nullptr;  // [n, rounded_columns()]

  int64_t blocks() const { return columns / kBlockColumns; }
  Activations from_row(int64_t row) const {
    Activations x = *this;
    x.values += row * columns;
    x.codes += row * columns;
    x.scales += row * blocks();
    x.corners += row * blocks();
    x.scaled_sums += row * blocks();
    if (half_corners) x.half_corners += row * 2 * blocks();
    x.half_sums += row * 2 * blocks();
    if (rounded) x.rounded += row * rounded_columns();
    return x;
  }
  int64_t rounded_columns() const { return columns + columns % 2; }
};

struct Scratch;
struct Matrix;

// What becomes of y = W x + bias.
enum class Into {
  set,          // to = y
  add,          // to += y
  gate_silu,    // to = silu(to) * y
  gate_gelu,    // to = gelu(to) * y
  gate_clamped  // gpt-oss, see Activation::clamped_swiglu
};
struct Output {
  float* to;       // to[token * stride + row of the matrix]
  int64_t stride;  // floats
  Into into;
  const int32_t* rows = nullptr;   // [tokens] which row of `to` each token has; null: its own
  const float* weights = nullptr;  // [tokens] with Into::add: to += weight * y; null: 1
};

// Computes panels [first, first + n) of the matrix for all tokens.
using Multiply = void (*)(const Matrix& matrix, int64_t first, int64_t n, const Activations& x,
                          int64_t n_tokens, const Output& output, const Scratch& scratch);

// Where the rows of a matrix are.
enum class Lives {
  in_panels,  // panel.h
  in_file     // as they stand in the mapped file, which the system may drop and read again
};

// `multiply` reads panels. Those of a matrix that lives in the file are packed just before each use
// (multiply.h), except where the format has none: there the kernel decodes the file's rows.
struct Matrix {
  const uint8_t* data = nullptr;  // the first row or panel
  Lives lives = Lives::in_panels;
  int64_t panel_stride = 0;  // bytes from one panel, or from 16 rows of the file, to the next
  int64_t rows = 0, columns = 0;
  const float* bias = nullptr;  // [rows rounded up to whole panels], or null
  Format format = Format::f32;
  Multiply multiply = nullptr;
  bool reads_rounded = false;  // what `multiply` does

  int64_t panels() const { return (rows + kPanelRows - 1) / kPanelRows; }
};

// Work space of one thread.
struct Scratch {
  uint8_t* packed;    // panels of a matrix that lives in the file, see multiply.h
  uint8_t* expanded;  // kExpandedBytes
  float* sums;        // [max_batch, 2 panels]: sums over the columns so far
  float* rows;        // [columns, 16]: a panel decoded to f32, for formats without panels
};

// Wide prefill tiles read panels expanded to bytes, two panels of as many blocks as fit in here at
// a time, which stay in the first-level cache: 18 blocks with minima.
inline constexpr int64_t kExpandedPanelBytes = 18 * kPanelRows * (kBlockColumns + 3 * 4);
inline constexpr int64_t kExpandedBytes = 2 * kExpandedPanelBytes;

}  // namespace plumb::cpu
