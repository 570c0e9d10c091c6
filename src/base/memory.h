#pragma once
// Large zeroed memory straight from the system: pages that nobody touches cost nothing. From kLarge
// bytes on it asks for the system's large pages, which save look-ups of addresses where memory is
// read in long streams or in many places at once; the system may decline. Of less than that
// processors remember where all pages are anyway, and what nobody touches of a large page costs.

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace plumb {

class AnonymousMemory {
 public:
  static constexpr int64_t kLarge = int64_t{16} << 20;

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
