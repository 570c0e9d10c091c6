#pragma once
// Random numbers for tests: the same on every machine and standard library, unlike
// std::normal_distribution.

#include <cmath>
#include <cstdint>
#include <vector>

namespace plumb::test {

// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }
  uint8_t byte() { return static_cast<uint8_t>(next() >> 56); }
  int64_t below(int64_t n) { return static_cast<int64_t>(next() >> 1) % n; }
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // [0, 1)

  // About normal, mean 0, deviation 1: the sum of twelve uniforms less six, within +-6.
  float normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return static_cast<float>(sum);
  }
  std::vector<float> normals(int64_t n, float mean = 0, float deviation = 1) {
    std::vector<float> v(static_cast<size_t>(n));
    for (float& x : v) x = mean + deviation * normal();
    return v;
  }

 private:
  uint64_t state_;
};

}  // namespace plumb::test
