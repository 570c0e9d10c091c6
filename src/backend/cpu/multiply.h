#pragma once
// The product of some panels of a matrix with activations, wherever the matrix lives. Panels of one
// in the file are packed into the thread's own work space, which stays in its cache, and go to the
// very kernel that panels in memory go to: the results are the same bits.

#include "backend/cpu/matrix.h"

namespace plumb::cpu {

// How many panels are packed at once: enough for kernels that take several together.
struct PackedPanels {
  int64_t panel_bytes, n;

  PackedPanels(Format format, int64_t columns);
  int64_t bytes() const { return panel_bytes * n; }
};

// As Multiply has it.
void multiply(const Matrix& matrix, int64_t first, int64_t n, const Activations& x,
              int64_t n_tokens, const Output& output, const Scratch& scratch);

}  // namespace plumb::cpu
