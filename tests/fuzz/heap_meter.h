#pragma once
// How much memory C++ code has allocated at most, counted by operator new itself: exact where the
// resident size of a process, under sanitizers at that, says little. Linked into a program, it
// measures the whole program.

#include <cstdint>

namespace plumb::test {

// Bytes allocated by operator new above what was allocated when the meter was made, at their peak.
// Of all threads.
class HeapMeter {
 public:
  HeapMeter();
  int64_t peak() const;

 private:
  int64_t start_;
};

}  // namespace plumb::test
