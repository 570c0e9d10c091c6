#include "backend/cpu/input.h"

#include <algorithm>

#include "backend/cpu/panel.h"

namespace plumb::cpu {

void Input::ask_for(const Matrix& matrix) {
  codes = codes || reads_codes(matrix.format);
  halves = halves || reads_half_sums(matrix.format);
  rounded = rounded || matrix.reads_rounded;
  plain = plain || !(reads_codes(matrix.format) || matrix.reads_rounded);
}

Activations Input::prepare(const Worker& w, int64_t n, const int32_t* row_of, bool second) const {
  const bool own = n * (columns + columns % 2) <= kOwnValues;
  const WorkerSpace& space = w.space();
  const Workspace& all = w.run.workspace;
  Activations x =
      own ? (second ? space.own_second : space.own) : (second ? all.shared_second : all.shared);
  x.columns = columns;
  const bool in_place = !norm && !row_of;
  if (in_place) x.values = from;
  if (!halves) x.half_corners = nullptr;
  const auto rows = own ? Range{0, n} : w.share(n);
  for (int64_t i = rows.begin; i < rows.end; ++i) {
    const float* row = from + (row_of ? row_of[i] : i) * columns;
    float* values = x.values + i * columns;
    if (norm)
      w.run.kernels.norm(row, norm, eps, columns, values);
    else if (!in_place)
      std::copy_n(row, columns, values);
    if (codes) w.run.kernels.quantize(values, x, i);
    if (rounded) w.run.kernels.round(values, x, i);
  }
  if (!own) w.barrier();
  return x;
}

Activations Input::gather(const Activations& x, const int32_t* row_of, int64_t n,
                          Activations to) const {
  to.columns = x.columns;
  if (!halves) to.half_corners = nullptr;
  const int64_t blocks = x.blocks();
  for (int64_t i = 0; i < n; ++i) {
    const int64_t row = row_of[i];
    const auto copy = [&](const auto* source, auto* target, int64_t values) {
      std::copy_n(source + row * values, values, target + i * values);
    };
    if (plain) copy(x.values, to.values, x.columns);
    if (rounded) copy(x.rounded, to.rounded, x.rounded_columns());
    if (!codes) continue;
    copy(x.codes, to.codes, x.columns);
    copy(x.scales, to.scales, blocks);
    copy(x.corners, to.corners, blocks);
    copy(x.scaled_sums, to.scaled_sums, blocks);
    if (!halves) continue;
    copy(x.half_corners, to.half_corners, 2 * blocks);
    copy(x.half_sums, to.half_sums, 2 * blocks);
  }
  return to;
}

}  // namespace plumb::cpu
