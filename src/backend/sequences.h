#pragma once
// Which page of the key-value cache holds which positions of which sequence, in every pool of
// pages. Pages are shared after copy_prefix and copied when one of the sharers writes. Pools of
// layers with a window drop a sequence's oldest pages when it needs others. Shared by all backends;
// they own the bytes, this owns the bookkeeping.

#include <cstdint>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "plan/cache_pools.h"

namespace plumb {

class Sequences {
 public:
  explicit Sequences(const Plan& plan);

  // Checks the batch against the plan and the sequences (Error, nothing changed), makes room for
  // its positions and returns the pages whose content must be copied (from, to) before the batch
  // runs. Lengths already include the batch afterwards. Steady state allocates nothing.
  struct PageCopy {
    int pool;
    int32_t from, to;
  };
  std::span<const PageCopy> extend(const Batch& batch);
  // The last batch was given up: its sequences are as long as before it.
  void give_back(const Batch& batch);

  int64_t length(int slot) const { return at(slot).length; }
  int32_t page(int slot, int64_t position, int pool = 0) const {
    return pages(slot, pool)[static_cast<size_t>(position / kPagePositions)];
  }
  // In order of position; -1 where dropped.
  std::span<const int32_t> pages(int slot, int pool = 0) const;

  // The largest number of positions, at most n, that the sequence can be cut to and go on from: n,
  // or 0 where a window has dropped what the next token would see.
  int64_t reachable(int slot, int64_t n_positions) const;
  // Both take what is reachable and return it.
  int64_t truncate(int slot, int64_t n_positions);
  int64_t copy_prefix(int from, int to, int64_t n_positions);

 private:
  struct PageList {
    std::vector<int32_t> pages;
    size_t first = 0;  // not dropped
  };
  struct Sequence {
    int64_t length = 0;
    std::vector<PageList> lists;  // [pools]
  };
  struct Pool {
    CachePool layout;
    std::vector<int32_t> users;  // [pages] how many sequences hold it
    std::vector<int32_t> free;

    int32_t take();
    void drop(int32_t page);
  };
  const Sequence& at(int slot) const;
  void check(const Batch& batch);
  void extend(int pool, Sequence& sequence, int64_t length);

  int64_t n_positions_, max_batch_, max_logits_, n_vocab_;
  std::vector<Pool> pools_;
  std::vector<Sequence> sequences_;
  std::vector<PageCopy> copies_;
  std::vector<int64_t> lengths_;  // scratch of check()
};

}  // namespace plumb
