#include "backend/sequences.h"

#include <algorithm>

#include "base/error.h"

namespace plumb {

Sequences::Sequences(const Plan& plan)
    : n_positions_(plan.options.n_positions),
      max_batch_(plan.options.max_batch),
      max_logits_(plan.options.max_logits),
      n_vocab_(plan.n_vocab),
      sequences_(static_cast<size_t>(plan.options.n_sequences)),
      lengths_(sequences_.size()) {
  for (const CachePool& layout : cache_pools(plan)) {
    Pool& pool = pools_.emplace_back(Pool{layout, {}, {}});
    const auto n_pages = static_cast<size_t>(pages_of(layout, plan.options));
    pool.users.assign(n_pages, 0);
    pool.free.reserve(n_pages);
    for (size_t i = n_pages; i-- > 0;) pool.free.push_back(static_cast<int32_t>(i));
  }
  copies_.reserve(sequences_.size() * pools_.size());
  const int64_t most = (n_positions_ + kPagePositions - 1) / kPagePositions;
  for (Sequence& s : sequences_) {
    s.lists.resize(pools_.size());
    for (PageList& list : s.lists) list.pages.reserve(static_cast<size_t>(most));
  }
}

const Sequences::Sequence& Sequences::at(int slot) const {
  CHECK(slot >= 0 && slot < static_cast<int>(sequences_.size()), "slot {} of {}", slot,
        sequences_.size());
  return sequences_[static_cast<size_t>(slot)];
}

std::span<const int32_t> Sequences::pages(int slot, int pool) const {
  return at(slot).lists[static_cast<size_t>(pool)].pages;
}

int32_t Sequences::Pool::take() {
  CHECK(!free.empty(), "every sequence has its share of pages");
  const int32_t page = free.back();
  free.pop_back();
  users[static_cast<size_t>(page)] = 1;
  return page;
}

void Sequences::Pool::drop(int32_t page) {
  if (page >= 0 && --users[static_cast<size_t>(page)] == 0) free.push_back(page);
}

void Sequences::check(const Batch& batch) {
  const auto n = batch.tokens.size();
  if (n == 0 || static_cast<int64_t>(n) > max_batch_)
    fail("batch: expected 1 to {} tokens, got {}", max_batch_, n);
  if (batch.positions.size() != n || batch.slots.size() != n || batch.wants_logits.size() != n)
    fail("batch: expected {} positions, slots and flags, got {}, {} and {}", n,
         batch.positions.size(), batch.slots.size(), batch.wants_logits.size());
  const auto n_logits = std::count_if(batch.wants_logits.begin(), batch.wants_logits.end(),
                                      [](uint8_t w) { return w != 0; });
  if (n_logits > max_logits_)
    fail("batch: expected at most {} tokens with logits, got {}", max_logits_, n_logits);
  for (size_t s = 0; s < sequences_.size(); ++s) lengths_[s] = sequences_[s].length;
  for (size_t i = 0; i < n; ++i) {
    const int32_t slot = batch.slots[i], token = batch.tokens[i];
    if (token < 0 || token >= n_vocab_)
      fail("batch: token {}: expected an id from 0 to {}, got {}", i, n_vocab_ - 1, token);
    if (slot < 0 || slot >= static_cast<int32_t>(sequences_.size()))
      fail("batch: token {}: expected a sequence from 0 to {}, got {}", i, sequences_.size() - 1,
           slot);
    int64_t& length = lengths_[static_cast<size_t>(slot)];
    if (batch.positions[i] != length)
      fail("batch: token {}: expected position {} (the length of sequence {}), got {}", i, length,
           slot, batch.positions[i]);
    if (length >= n_positions_)
      fail("batch: token {}: expected at most {} positions in a sequence, got more", i,
           n_positions_);
    ++length;
  }
}

std::span<const Sequences::PageCopy> Sequences::extend(const Batch& batch) {
  check(batch);
  copies_.clear();
  for (size_t s = 0; s < sequences_.size(); ++s) {
    if (lengths_[s] == sequences_[s].length) continue;
    for (size_t p = 0; p < pools_.size(); ++p)
      extend(static_cast<int>(p), sequences_[s], lengths_[s]);
    sequences_[s].length = lengths_[s];
  }
  return copies_;
}

// What a window drops here it cannot reach again: the pool's share of pages holds all that the
// batch's tokens see.
void Sequences::extend(int index, Sequence& sequence, int64_t length) {
  Pool& pool = pools_[static_cast<size_t>(index)];
  PageList& list = sequence.lists[static_cast<size_t>(index)];
  const auto n_pages = static_cast<size_t>((length + kPagePositions - 1) / kPagePositions);
  for (; static_cast<int64_t>(n_pages - list.first) > pool.layout.sequence_pages; ++list.first) {
    pool.drop(list.pages[list.first]);
    list.pages[list.first] = -1;
  }
  const bool writes_into_last = sequence.length % kPagePositions != 0;
  if (writes_into_last && pool.users[static_cast<size_t>(list.pages.back())] > 1) {
    const int32_t shared = list.pages.back();
    list.pages.back() = pool.take();
    pool.drop(shared);
    copies_.push_back({index, shared, list.pages.back()});
  }
  while (list.pages.size() < n_pages) list.pages.push_back(pool.take());
}

void Sequences::give_back(const Batch& batch) {
  for (size_t i = batch.tokens.size(); i-- > 0;) truncate(batch.slots[i], batch.positions[i]);
}

int64_t Sequences::reachable(int slot, int64_t n_positions) const {
  for (size_t p = 0; p < pools_.size(); ++p) {
    const auto dropped = static_cast<int64_t>(at(slot).lists[p].first) * kPagePositions;
    const int64_t window = pools_[p].layout.window;
    if (dropped > 0 && n_positions - window + 1 < dropped) return 0;
  }
  return n_positions;
}

int64_t Sequences::truncate(int slot, int64_t n_positions) {
  CHECK(n_positions >= 0 && n_positions <= length(slot), "truncate to {} of {}", n_positions,
        length(slot));
  CHECK(reachable(slot, n_positions) == n_positions, "truncate to {}, which a window has dropped",
        n_positions);
  Sequence& sequence = sequences_[static_cast<size_t>(slot)];
  sequence.length = n_positions;
  for (size_t p = 0; p < pools_.size(); ++p) {
    PageList& list = sequence.lists[p];
    while (static_cast<int64_t>(list.pages.size()) * kPagePositions >=
           n_positions + kPagePositions) {
      pools_[p].drop(list.pages.back());
      list.pages.pop_back();
    }
    list.first = std::min(list.first, list.pages.size());
  }
  return n_positions;
}

int64_t Sequences::copy_prefix(int from, int to, int64_t n_positions) {
  CHECK(n_positions >= 0 && n_positions <= length(from), "prefix {} of {}", n_positions,
        length(from));
  if (from == to) return truncate(to, n_positions);
  CHECK(reachable(from, n_positions) == n_positions, "prefix {}, which a window has dropped",
        n_positions);
  truncate(to, 0);
  Sequence& target = sequences_[static_cast<size_t>(to)];
  const auto n_pages = static_cast<size_t>((n_positions + kPagePositions - 1) / kPagePositions);
  for (size_t p = 0; p < pools_.size(); ++p) {
    const PageList& source = at(from).lists[p];
    PageList& list = target.lists[p];
    for (size_t i = 0; i < n_pages; ++i) {
      const int32_t page = source.pages[i];
      if (page >= 0) ++pools_[p].users[static_cast<size_t>(page)];
      list.pages.push_back(page);
    }
    list.first = std::min(source.first, n_pages);
  }
  target.length = n_positions;
  return n_positions;
}

}  // namespace plumb
