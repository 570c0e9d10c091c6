#pragma once
// Which page of the key-value cache holds which positions of which sequence. Pages are shared after
// copy_prefix and copied when one of the sharers writes. Shared by all backends; they own the
// bytes, this owns the bookkeeping.

#include <cstdint>
#include <span>
#include <vector>

#include "backend/backend.h"

namespace plumb {

class Sequences {
 public:
  explicit Sequences(const Plan& plan);

  // Checks the batch against the plan and the sequences (Error, nothing changed), makes room for
  // its positions and returns the pages whose content must be copied (from, to) before the batch
  // runs. Lengths already include the batch afterwards. Steady state allocates nothing.
  struct PageCopy {
    int32_t from, to;
  };
  std::span<const PageCopy> extend(const Batch& batch);
  // The last batch was given up: its sequences are as long as before it.
  void give_back(const Batch& batch);

  int64_t length(int slot) const { return at(slot).length; }
  int32_t page(int slot, int64_t position) const {
    return at(slot).pages[static_cast<size_t>(position / kPagePositions)];
  }
  std::span<const int32_t> pages(int slot) const;  // in order of position

  void truncate(int slot, int64_t n_positions);
  void copy_prefix(int from, int to, int64_t n_positions);

 private:
  struct Sequence {
    int64_t length = 0;
    std::vector<int32_t> pages;
  };
  const Sequence& at(int slot) const;
  void check(const Batch& batch);
  int32_t take_page();
  void drop_page(int32_t page);

  int64_t n_positions_, max_batch_, max_logits_, n_vocab_;
  std::vector<Sequence> sequences_;
  std::vector<int32_t> users_;  // [pages] how many sequences hold it
  std::vector<int32_t> free_;
  std::vector<PageCopy> copies_;
  std::vector<int64_t> lengths_;  // scratch of check()
};

}  // namespace plumb
