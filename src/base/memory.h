#pragma once
// Large zeroed memory straight from the system: pages that nobody touches cost nothing. What is
// larger than the system's large pages asks for these, which save look-ups of addresses where
// memory is read in long streams or in many places at once; the system may decline.

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
