#include "backend/cpu/multiply.h"

#include <algorithm>

#include "backend/cpu/panel.h"

namespace plumb::cpu {
namespace {

// Panels [first, first + n), packed: a matrix of its own with as much of the output.
void multiply_packed(const Matrix& matrix, int64_t first, int64_t n, const PackedPanels& packed,
                     const Activations& x, int64_t n_tokens, Output output,
                     const Scratch& scratch) {
  const int64_t row = first * kPanelRows;
  Matrix some = matrix;
  some.data = scratch.packed;
  some.lives = Lives::in_panels;
  some.panel_stride = packed.panel_bytes;
  some.rows = std::min(matrix.rows - row, n * kPanelRows);
  if (some.bias) some.bias += row;
  output.to += row;
  for (int64_t p = 0; p < n; ++p)
    pack_panel(matrix.format, matrix.data + (first + p) * matrix.panel_stride,
               std::min(kPanelRows, some.rows - p * kPanelRows), matrix.columns,
               scratch.packed + p * packed.panel_bytes);
  some.multiply(some, 0, n, x, n_tokens, output, scratch);
}

}  // namespace

PackedPanels::PackedPanels(Format format, int64_t columns)
    : panel_bytes(cpu::panel_bytes(format, columns)) {
  constexpr int64_t kInCache = 256 << 10, kFew = 2, kMost = 4;
  n = std::clamp(kInCache / panel_bytes, kFew, kMost);
}

void multiply(const Matrix& matrix, int64_t first, int64_t n, const Activations& x,
              int64_t n_tokens, const Output& output, const Scratch& scratch) {
  if (matrix.lives == Lives::in_panels || !has_panels(matrix.format))
    return matrix.multiply(matrix, first, n, x, n_tokens, output, scratch);
  const PackedPanels packed(matrix.format, matrix.columns);
  for (const int64_t end = first + n; first < end; first += packed.n)
    multiply_packed(matrix, first, std::min(packed.n, end - first), packed, x, n_tokens, output,
                    scratch);
}

}  // namespace plumb::cpu
