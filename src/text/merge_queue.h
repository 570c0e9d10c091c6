#pragma once
// A priority queue for merges: the smallest number first. Merging goes through a text from left to
// right once per kind of pair, so what is pushed comes as a few rising sequences: each is kept as a
// row that is filled at the end and emptied at the front, at a tenth of a heap's cost. What fits no
// row goes into a heap.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace plumb {

class MergeQueue {
 public:
  void clear() {
    for (Row& row : rows_) row.clear();
    heap_.clear();
  }

  void push(uint64_t value) {
    for (Row& row : rows_)
      if (row.take(value)) return;
    heap_.push_back(value);
    std::ranges::push_heap(heap_, std::greater{});
  }

  std::optional<uint64_t> pop() {
    Row* first = &rows_[0];
    for (Row& row : rows_)
      if (row.front() < first->front()) first = &row;
    const uint64_t top = heap_.empty() ? kNone : heap_.front();
    if (top == kNone && first->front() == kNone) return std::nullopt;
    return top < first->front() ? pop_heap() : first->pop();
  }

 private:
  static constexpr uint64_t kNone = UINT64_MAX;  // never pushed

  class Row {
   public:
    void clear() { values_.assign(1, kNone), head_ = 0; }
    uint64_t front() const { return values_[head_]; }

    // The last value is always kNone, so that there is a front.
    bool take(uint64_t value) {
      const size_t n = values_.size() - 1;
      if (head_ == n)
        clear();
      else if (values_[n - 1] > value)
        return false;
      values_.back() = value;
      values_.push_back(kNone);
      return true;
    }

    uint64_t pop() { return values_[head_++]; }

   private:
    std::vector<uint64_t> values_ = {kNone};
    size_t head_ = 0;
  };

  uint64_t pop_heap() {
    std::ranges::pop_heap(heap_, std::greater{});
    const uint64_t top = heap_.back();
    heap_.pop_back();
    return top;
  }

  std::array<Row, 6> rows_;
  std::vector<uint64_t> heap_;
};

}  // namespace plumb
