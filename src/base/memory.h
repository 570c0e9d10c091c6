#pragma once
// Large zeroed memory straight from the system: pages that nobody touches cost nothing.

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace plumb {

class AnonymousMemory {
 public:
  AnonymousMemory() = default;
  explicit AnonymousMemory(int64_t bytes);  // Error (machine) when the system refuses
  ~AnonymousMemory();
  // For what is read in long streams: the system's large pages save look-ups of addresses. It may
  // decline.
  void prefer_large_pages() const;
  AnonymousMemory(AnonymousMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  AnonymousMemory& operator=(AnonymousMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  uint8_t* data() const { return data_; }  // aligned to a page
  int64_t size() const { return size_; }

 private:
  uint8_t* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace plumb
