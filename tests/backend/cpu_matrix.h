#pragma once
// A matrix in panels, activations for it, and the product as the formats' scalar codecs and f64
// have it: what tests of matrix kernels need.

#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/cpu/kernels.h"
#include "backend/cpu/panel.h"
#include "support/random_blocks.h"

namespace plumb::test {

inline cpu::FormatKernel kernel_for(const cpu::KernelSet& kernels, Format format) {
  for (const cpu::FormatKernel& f : kernels.formats)
    if (f.format == format) return f;
  return {.format = format, .multiply = kernels.generic};
}

// Rows of the file and the panels packed from them.
struct PanelMatrix {
  PanelMatrix(Format format, int64_t rows, int64_t columns, std::vector<uint8_t> file_rows,
              const cpu::KernelSet& kernels)
      : matrix{.rows = rows,
               .columns = columns,
               .format = format,
               .multiply = kernel_for(kernels, format).multiply,
               .reads_rounded = kernel_for(kernels, format).reads_rounded},
        file(std::move(file_rows)) {
    const int64_t row_bytes = format_bytes(format, columns);
    matrix.panel_stride = cpu::panel_bytes(format, columns);
    panels.resize(static_cast<size_t>(matrix.panels() * matrix.panel_stride));
    for (int64_t p = 0; p < matrix.panels(); ++p) {
      const int64_t row = p * cpu::kPanelRows;
      cpu::pack_panel(format, file.data() + row * row_bytes, std::min(cpu::kPanelRows, rows - row),
                      columns, panels.data() + p * matrix.panel_stride);
    }
    matrix.data = panels.data();
  }
  // The same matrix as it stands in the file, for the kernel that decodes any format.
  PanelMatrix in_the_file(const cpu::KernelSet& kernels) const {
    PanelMatrix other = *this;
    other.matrix.data = other.file.data();
    other.matrix.panel_stride = format_bytes(matrix.format, matrix.columns) * cpu::kPanelRows;
    other.matrix.multiply = kernels.generic;
    other.matrix.reads_rounded = false;
    return other;
  }

  cpu::Matrix matrix;
  std::vector<uint8_t> file, panels;
};

// The forms of activations.
enum class Form { f32, codes, rounded };

// Rows of activations with all forms filled in.
struct ActivationRows {
  ActivationRows(const std::vector<float>& rows, int64_t columns, const cpu::KernelSet& kernels)
      : values(rows),
        codes(rows.size()),
        scales(rows.size() / 32 + 1),
        scaled_sums(rows.size() / 32 + 1),
        half_sums(rows.size() / 16 + 1),
        corners(rows.size() / 32 + 1),
        half_corners(rows.size() / 16 + 1),
        n(static_cast<int64_t>(rows.size()) / columns),
        rounded(static_cast<size_t>(n * (columns + columns % 2))) {
    x = {columns,        values.data(),      codes.data(),        scales.data(),
         corners.data(), scaled_sums.data(), half_corners.data(), half_sums.data(),
         rounded.data()};
    if (kernels.round)
      for (int64_t t = 0; t < n; ++t) kernels.round(values.data() + t * columns, x, t);
    if (columns % cpu::kBlockColumns != 0) return;
    for (int64_t t = 0; t < n; ++t) kernels.quantize(values.data() + t * columns, x, t);
  }
  // What the kernels of a format see.
  float seen(int64_t token, int64_t column, Form form) const {
    const auto at = static_cast<size_t>(token * x.columns + column);
    if (form == Form::f32) return values[at];
    if (form == Form::rounded)
      return bf16_to_f32(rounded[static_cast<size_t>(token * x.rounded_columns() + column)]);
    const size_t block = at / 32;
    return scales[block] * static_cast<float>(codes[at] + static_cast<int16_t>(corners[block]));
  }

  std::vector<float> values;
  std::vector<int8_t> codes;
  std::vector<float> scales, scaled_sums, half_sums;
  std::vector<int32_t> corners, half_corners;
  int64_t n;
  std::vector<uint16_t> rounded;
  cpu::Activations x;
};

struct ScratchSpace {
  ScratchSpace(int64_t n_tokens, int64_t columns)
      : expanded(cpu::kExpandedBytes + 64),
        sums(static_cast<size_t>(n_tokens * 2 * cpu::kPanelRows)),
        rows(static_cast<size_t>(columns * cpu::kPanelRows)) {}
  cpu::Scratch get() { return {nullptr, expanded.data(), sums.data(), rows.data()}; }

  std::vector<uint8_t> expanded;
  std::vector<float> sums, rows;
};

// The largest error over all outputs in units of what rounding may do: each output's error over the
// sum of its blocks' largest possible products. `form`: of the activations that the kernel reads.
inline double relative_error(const PanelMatrix& m, const ActivationRows& x,
                             const std::vector<float>& got, Form form) {
  const cpu::Matrix& matrix = m.matrix;
  const std::vector<float> weights = decoded(matrix.format, m.file);
  double worst = 0;
  for (int64_t t = 0; t < x.n; ++t)
    for (int64_t r = 0; r < matrix.rows; ++r) {
      double sum = 0, bound = 0;
      for (int64_t b = 0; b < matrix.columns; b += 32) {
        double w_max = 0, x_max = 0;
        for (int64_t k = b; k < std::min(b + 32, matrix.columns); ++k) {
          const double w = weights[static_cast<size_t>(r * matrix.columns + k)],
                       v = x.seen(t, k, form);
          sum += w * v;
          w_max = std::max(w_max, std::abs(w));
          x_max = std::max(x_max, std::abs(v));
        }
        bound += 32 * w_max * x_max;
      }
      const double error = std::abs(got[static_cast<size_t>(t * matrix.rows + r)] - sum);
      worst = std::max(worst, error / (bound + 1e-35));  // below that f32 is subnormal
      if (std::isnan(got[static_cast<size_t>(t * matrix.rows + r)])) worst = INFINITY;
    }
  return worst;
}

inline double relative_error(const PanelMatrix& m, const ActivationRows& x,
                             const std::vector<float>& got) {
  const Form form = m.matrix.reads_rounded              ? Form::rounded
                    : cpu::reads_codes(m.matrix.format) ? Form::codes
                                                        : Form::f32;
  return relative_error(m, x, got, form);
}

}  // namespace plumb::test
