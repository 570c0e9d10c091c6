#include "base/memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace plumb {

AnonymousMemory::AnonymousMemory(int64_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  void* p = ::mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) fail_machine("memory: cannot get {} bytes: {}", bytes, std::strerror(errno));
  data_ = static_cast<uint8_t*>(p);
#ifdef MADV_HUGEPAGE
  if (bytes >= kLarge) ::madvise(p, static_cast<size_t>(bytes), MADV_HUGEPAGE);
#endif
}

AnonymousMemory::~AnonymousMemory() {
  if (data_) ::munmap(data_, static_cast<size_t>(size_));
}

}  // namespace plumb
