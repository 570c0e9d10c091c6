#pragma once
// Weights and work space are read in long streams, for which the system's large pages save look-ups
// of addresses: 4 % of prefill, measured on Zen 5.

#include <sys/mman.h>

#include "base/memory.h"

namespace plumb::cpu {

inline void prefer_large_pages([[maybe_unused]] const AnonymousMemory& memory) {
#if defined(__linux__)
  ::madvise(memory.data(), static_cast<size_t>(memory.size()), MADV_HUGEPAGE);
#endif
}

}  // namespace plumb::cpu
