#pragma once
// The merge loop that all BPE-like tokenizers share: among adjacent symbols, merge the pair with
// the lowest key (the leftmost of equal ones), until no pair can be merged. Pieces of a few
// symbols, almost all, are searched from end to end; longer ones have a queue and a linked list,
// and take n log n for n symbols.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "text/merge_queue.h"

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
  static constexpr size_t kFew = 24;

  struct Node {
    Symbol symbol;
    Merge merge;  // with the next symbol
    uint32_t next = 0, previous = 0;
  };

  template <typename MergeOf>
  void run_few(const MergeOf& merge_of);
  template <typename MergeOf>
  void run_many(const MergeOf& merge_of);

  // Looks up the merge of a symbol with the next one, and queues it.
  template <typename MergeOf>
  void consider(uint32_t left, const MergeOf& merge_of) {
    Node& node = nodes_[left];
    node.merge =
        node.next < nodes_.size() ? merge_of(node.symbol, nodes_[node.next].symbol) : Merge{};
    if (node.merge.key != Merge::kNever) queue_.push(uint64_t{node.merge.key} << 32 | left);
  }

  std::vector<Node> nodes_;
  MergeQueue queue_;  // key << 32 | index; what no longer holds is skipped when it comes up
};

template <typename MergeOf, typename Each>
void SymbolMerger::run(const MergeOf& merge_of, const Each& each) {
  if (nodes_.size() <= kFew)
    run_few(merge_of);
  else
    run_many(merge_of);
  for (size_t i = 0; i < nodes_.size(); i = nodes_[i].next) each(nodes_[i].symbol);
}

template <typename MergeOf>
void SymbolMerger::run_few(const MergeOf& merge_of) {
  const auto look_up = [&](size_t i) {
    nodes_[i].merge =
        i + 1 < nodes_.size() ? merge_of(nodes_[i].symbol, nodes_[i + 1].symbol) : Merge{};
  };
  for (size_t i = 0; i < nodes_.size(); ++i) look_up(i);
  for (;;) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < nodes_.size(); ++i)
      if (nodes_[i].merge.key < nodes_[best].merge.key) best = i;
    if (nodes_.empty() || nodes_[best].merge.key == Merge::kNever) break;
    nodes_[best].symbol.id = nodes_[best].merge.id;
    nodes_[best].symbol.length += nodes_[best + 1].symbol.length;
    nodes_.erase(nodes_.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    look_up(best);
    if (best > 0) look_up(best - 1);
  }
  for (uint32_t i = 0; i < nodes_.size(); ++i) nodes_[i].next = i + 1;
}

template <typename MergeOf>
void SymbolMerger::run_many(const MergeOf& merge_of) {
  const auto n = static_cast<uint32_t>(nodes_.size());
  queue_.clear();
  for (uint32_t i = 0; i < n; ++i) {
    nodes_[i].previous = i - 1;  // of the first: n or more
    nodes_[i].next = i + 1;
  }
  for (uint32_t i = 0; i < n; ++i) consider(i, merge_of);
  while (const auto top = queue_.pop()) {
    const auto i = static_cast<uint32_t>(*top);
    Node& left = nodes_[i];
    if (left.merge.key != *top >> 32) continue;
    Node& right = nodes_[left.next];
    left.symbol.id = left.merge.id;
    left.symbol.length += right.symbol.length;
    left.next = right.next;
    right.merge = {};
    if (left.next < n) nodes_[left.next].previous = i;
    consider(i, merge_of);
    if (left.previous < n) consider(left.previous, merge_of);
  }
}

}  // namespace plumb
