#pragma once
// The merge loop that all BPE-like tokenizers share: among adjacent symbols, merge the pair with
// the lowest key (the leftmost of equal ones), until no pair can be merged. A heap of (key,
// position) and a linked list: n log n for n symbols.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

namespace plumb {

struct Symbol {
  int32_t id;      // -1: not in the vocabulary
  uint32_t begin;  // byte in the piece
  uint32_t length;
};

// What a pair of symbols becomes. key: order of merging, lowest first.
struct Merge {
  static constexpr uint32_t kNever = UINT32_MAX;
  uint32_t key = kNever;
  int32_t id = -1;
};

// Working memory; one per thread.
class SymbolMerger {
 public:
  void clear() { nodes_.clear(); }
  void push(const Symbol& symbol) { nodes_.push_back({.symbol = symbol, .merge = {}}); }

  // merge_of(const Symbol& left, const Symbol& right) -> Merge. Then each(const Symbol&) for the
  // symbols that remain.
  template <typename MergeOf, typename Each>
  void run(const MergeOf& merge_of, const Each& each);

 private:
  struct Node {
    Symbol symbol;
    Merge merge;  // with the next symbol
    uint32_t next = 0, previous = 0;
  };

  // Looks up the merge of a symbol with the next one; true if there is one, which is then at the
  // back of the heap's array.
  template <typename MergeOf>
  bool consider(uint32_t left, const MergeOf& merge_of) {
    Node& node = nodes_[left];
    node.merge =
        node.next < nodes_.size() ? merge_of(node.symbol, nodes_[node.next].symbol) : Merge{};
    if (node.merge.key == Merge::kNever) return false;
    heap_.push_back(uint64_t{node.merge.key} << 32 | left);
    return true;
  }

  template <typename MergeOf>
  void consider_and_push(uint32_t left, const MergeOf& merge_of) {
    if (consider(left, merge_of)) std::ranges::push_heap(heap_, std::greater{});
  }

  uint64_t pop() {
    std::ranges::pop_heap(heap_, std::greater{});
    const uint64_t top = heap_.back();
    heap_.pop_back();
    return top;
  }

  std::vector<Node> nodes_;
  std::vector<uint64_t>
      heap_;  // key << 32 | index; entries that no longer hold are skipped when they come up
};

template <typename MergeOf, typename Each>
void SymbolMerger::run(const MergeOf& merge_of, const Each& each) {
  const auto n = static_cast<uint32_t>(nodes_.size());
  heap_.clear();
  for (uint32_t i = 0; i < n; ++i) {
    nodes_[i].previous = i - 1;  // of the first: n or more
    nodes_[i].next = i + 1;
  }
  for (uint32_t i = 0; i < n; ++i) consider(i, merge_of);
  std::ranges::make_heap(heap_, std::greater{});
  while (!heap_.empty()) {
    const uint64_t top = pop();
    const auto i = static_cast<uint32_t>(top);
    Node& left = nodes_[i];
    if (left.merge.key != top >> 32) continue;
    Node& right = nodes_[left.next];
    left.symbol.id = left.merge.id;
    left.symbol.length += right.symbol.length;
    left.next = right.next;
    right.merge = {};
    if (left.next < n) nodes_[left.next].previous = i;
    consider_and_push(i, merge_of);
    if (left.previous < n) consider_and_push(left.previous, merge_of);
  }
  for (uint32_t i = 0; i < n; i = nodes_[i].next) each(nodes_[i].symbol);
}

}  // namespace plumb
