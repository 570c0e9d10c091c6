#include "generate/candidates.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace plumb {
namespace {

constexpr int kPasses = 3, kDigitBits = 11;
constexpr uint32_t kDigits = 1u << kDigitBits;

// Rises where the logit falls; 0 and -0 are equal.
uint32_t sort_key(const Candidate& c) {
  const auto bits = std::bit_cast<uint32_t>(c.logit + 0.0f);
  return bits >> 31 ? bits : bits ^ 0x7fffffffu;
}

uint32_t digit(const Candidate& c, int pass) {
  return sort_key(c) >> (pass * kDigitBits) & (kDigits - 1);
}

// A radix sort from the lowest digit. It is stable, which leaves ties in the order of their ids.
// The result lands in `spare` after an odd number of passes.
void radix_sort(std::vector<Candidate>& candidates, std::vector<Candidate>& spare, size_t n) {
  static_assert(kPasses * kDigitBits >= 32 && kPasses % 2 == 1);
  uint32_t next[kPasses][kDigits] = {};  // how many have the digit, then where the next one goes
  for (size_t i = 0; i < n; ++i)
    for (int pass = 0; pass < kPasses; ++pass) ++next[pass][digit(candidates[i], pass)];
  Candidate *from = candidates.data(), *to = spare.data();
  for (int pass = 0; pass < kPasses; ++pass) {
    uint32_t begin = 0;
    for (uint32_t& count : next[pass]) begin += std::exchange(count, begin);
    for (size_t i = 0; i < n; ++i) to[next[pass][digit(from[i], pass)]++] = from[i];
    std::swap(from, to);
  }
  candidates.swap(spare);
}

}  // namespace

void sort_candidates(std::vector<Candidate>& candidates, std::vector<Candidate>& spare, size_t n) {
  if (static_cast<int64_t>(n) > kLargestSelection) return radix_sort(candidates, spare, n);
  std::sort(candidates.begin(), candidates.begin() + static_cast<int64_t>(n), before);
}

}  // namespace plumb
