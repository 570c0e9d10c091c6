#pragma once
// Blocks of 256 columns between the file's layout and that of panels (SuperLayout).

#include <cstdint>

#include "backend/cpu/panel_blocks.h"
#include "formats/format.h"

namespace plumb::cpu {

// Null for formats of another shape.
const SuperLayout* super_layout(Format format);

// The blocks of n_rows rows of the file, row_bytes apart, -> a zeroed unit of a panel.
void pack_super_blocks(Format format, const uint8_t* blocks, int64_t row_bytes, int64_t n_rows,
                       uint8_t* unit);
// And one of them back.
void unpack_super_block(Format format, const uint8_t* unit, int64_t row, uint8_t* block);

}  // namespace plumb::cpu
