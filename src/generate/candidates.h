#pragma once
// Tokens that may still be drawn, and their order.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace plumb {

struct Candidate {
  int32_t id;
  float logit;  // after bias and penalties
  float probability;
};

// The larger logit first; of equal ones the lower id. A total order, so that every run sorts alike.
inline bool before(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

// Up to here the standard library's selecting and sorting are the quickest.
inline constexpr int64_t kLargestSelection = 4096;

// Puts the first n in order; their logits are finite. More than kLargestSelection must come by
// rising id, and take linear time whatever the logits are. `spare` has the size of `candidates`,
// and may change places with it. Allocates nothing.
void sort_candidates(std::vector<Candidate>& candidates, std::vector<Candidate>& spare, size_t n);

}  // namespace plumb
