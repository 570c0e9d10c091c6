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
  const auto n_pages = static_cast<size_t>(cache_pages(plan.options));
  users_.assign(n_pages, 0);
  free_.reserve(n_pages);
  for (size_t i = n_pages; i-- > 0;) free_.push_back(static_cast<int32_t>(i));
  copies_.reserve(sequences_.size());
  for (Sequence& s : sequences_) s.pages.reserve(n_pages / sequences_.size());
}

const Sequences::Sequence& Sequences::at(int slot) const {
  CHECK(slot >= 0 && slot < static_cast<int>(sequences_.size()), "slot {} of {}", slot,
        sequences_.size());
  return sequences_[static_cast<size_t>(slot)];
}

std::span<const int32_t> Sequences::pages(int slot) const {
  return at(slot).pages;
}

int32_t Sequences::take_page() {
  CHECK(!free_.empty(), "every sequence has its share of pages");
  const int32_t page = free_.back();
  free_.pop_back();
  users_[static_cast<size_t>(page)] = 1;
  return page;
}

void Sequences::drop_page(int32_t page) {
  if (--users_[static_cast<size_t>(page)] == 0) free_.push_back(page);
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
    Sequence& sequence = sequences_[s];
    if (lengths_[s] == sequence.length) continue;
    const bool writes_into_last = sequence.length % kPagePositions != 0;
    if (writes_into_last && users_[static_cast<size_t>(sequence.pages.back())] > 1) {
      const int32_t shared = sequence.pages.back();
      sequence.pages.back() = take_page();
      drop_page(shared);
      copies_.push_back({shared, sequence.pages.back()});
    }
    while (static_cast<int64_t>(sequence.pages.size()) * kPagePositions < lengths_[s])
      sequence.pages.push_back(take_page());
    sequence.length = lengths_[s];
  }
  return copies_;
}

void Sequences::give_back(const Batch& batch) {
  for (size_t i = batch.tokens.size(); i-- > 0;) truncate(batch.slots[i], batch.positions[i]);
}

void Sequences::truncate(int slot, int64_t n_positions) {
  CHECK(n_positions >= 0 && n_positions <= length(slot), "truncate to {} of {}", n_positions,
        length(slot));
  Sequence& sequence = sequences_[static_cast<size_t>(slot)];
  sequence.length = n_positions;
  while (static_cast<int64_t>(sequence.pages.size()) * kPagePositions >=
         n_positions + kPagePositions) {
    drop_page(sequence.pages.back());
    sequence.pages.pop_back();
  }
}

void Sequences::copy_prefix(int from, int to, int64_t n_positions) {
  CHECK(n_positions >= 0 && n_positions <= length(from), "prefix {} of {}", n_positions,
        length(from));
  if (from == to) return truncate(to, n_positions);
  truncate(to, 0);
  Sequence& target = sequences_[static_cast<size_t>(to)];
  const auto n_pages = static_cast<size_t>((n_positions + kPagePositions - 1) / kPagePositions);
  for (size_t i = 0; i < n_pages; ++i) {
    const int32_t page = at(from).pages[i];
    ++users_[static_cast<size_t>(page)];
    target.pages.push_back(page);
  }
  target.length = n_positions;
}

}  // namespace plumb
