#pragma once
// Weights in panels of 16 rows: packing from the file's layout, and rows back out of it. The layout
// of a block is in panel_blocks.h; panels of numbers (F32, F16, BF16) are [columns][16 rows]. A
// last panel with fewer rows is filled up with zero bytes.

#include <cstdint>
#include <span>

#include "backend/cpu/kernels.h"
#include "backend/cpu/panel_blocks.h"

namespace plumb::cpu {

// False: such a matrix lives in the file.
bool has_panels(Format format);

// Whether the kernels of the format read quantised activations (or f32 ones).
bool reads_codes(Format format);
// And the sums of 16 columns of them.
bool reads_half_sums(Format format);

// Bytes of one panel.
int64_t panel_bytes(Format format, int64_t columns);

// n_rows (1..16) rows of the file, one after another, -> one panel.
void pack_panel(Format format, const uint8_t* rows, int64_t n_rows, int64_t columns,
                uint8_t* panel);

// Row `row` of a matrix, wherever it lives, as the format's decoder gives it.
void decode_row(const Matrix& matrix, int64_t row, float* out);

}  // namespace plumb::cpu
