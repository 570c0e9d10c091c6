#pragma once
// One tensor descriptor as it stands in the file, and what follows from it alone.

#include <array>

#include "gguf/cursor.h"
#include "gguf/gguf.h"

namespace plumb::gguf {

// The fewest bytes that a descriptor can have: a name of one byte, no dimensions.
inline constexpr uint64_t kSmallestDescriptor = 8 + 1 + 4 + 4 + 8;

struct Descriptor {
  std::string_view name;
  Format format;
  int n_dims;
  std::array<int64_t, 4> ne;
  uint64_t offset;  // in the data section of its part
  uint64_t bytes;
};

// Reads and checks the descriptor under the cursor: name, dimensions, type, whole blocks, a size
// that fits in 63 bits. Where its data lies is not checked.
Descriptor read_descriptor(Cursor& cursor);

}  // namespace plumb::gguf
