#include "fuzz/heap_meter.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<int64_t> live{0}, highest{0};

void* allocate(size_t bytes) {
  void* p = std::malloc(bytes ? bytes : 1);
  if (!p) return nullptr;
  const int64_t now = live += static_cast<int64_t>(malloc_usable_size(p));
  int64_t seen = highest;
  while (now > seen && !highest.compare_exchange_weak(seen, now)) {
  }
  return p;
}

void release(void* p) {
  if (p) live -= static_cast<int64_t>(malloc_usable_size(p));
  std::free(p);
}

}  // namespace

void* operator new(size_t bytes) {
  if (void* p = allocate(bytes)) return p;
  throw std::bad_alloc();
}
void* operator new[](size_t bytes) {
  return operator new(bytes);
}
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return allocate(bytes);
}
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept {
  return allocate(bytes);
}
void operator delete(void* p) noexcept {
  release(p);
}
void operator delete[](void* p) noexcept {
  release(p);
}
void operator delete(void* p, size_t) noexcept {
  release(p);
}
void operator delete[](void* p, size_t) noexcept {
  release(p);
}
void operator delete(void* p, const std::nothrow_t&) noexcept {
  release(p);
}
void operator delete[](void* p, const std::nothrow_t&) noexcept {
  release(p);
}

namespace plumb::test {

HeapMeter::HeapMeter() : start_(live) {
  highest = start_;
}
int64_t HeapMeter::peak() const {
  return highest - start_;
}

}  // namespace plumb::test
