#pragma once
// Work handed out in pieces: each thread takes from a share of its own, so that it reads memory in
// order and meets nobody, and then from what others have left. A thread that is slow, because
// something else runs on its processor or because that is a slow one, so holds up nobody for long.

#include <atomic>
#include <cstdint>
#include <vector>

namespace plumb::cpu {

struct Range {
  int64_t begin, end;
};
inline int64_t size(Range r) {
  return r.end - r.begin;
}

class Handout {
 public:
  explicit Handout(int n_threads) : shares_(static_cast<size_t>(n_threads)) {}

  // Before all threads start anew: whatever became of the last run, in which some may have been a
  // round ahead or not there at all, they count rounds alike, and none that has been seen before.
  void begin() {
    uint32_t last = 0;
    for (const Share& share : shares_) last = share.round > last ? share.round : last;
    for (Share& share : shares_) share.round = last;
  }

  // What every thread does once for every round, in the same order of rounds, with a barrier
  // between one and the next.
  void next_round(int thread) { ++share(thread).round; }

  // For `thread`: up to `most` of the n items of the share of thread `of`; empty: none are left.
  Range take(int thread, int of, int64_t n, int64_t most) {
    const uint64_t round = share(thread).round;
    std::atomic<uint64_t>& cursor = share(of).cursor;
    uint64_t seen = cursor.load(std::memory_order_relaxed);
    for (;;) {
      // Not of this round: nobody has taken any yet.
      const int64_t at = seen >> 32 == round ? static_cast<int64_t>(seen & 0xffffffff) : 0;
      if (at >= n) return {0, 0};
      const int64_t end = n - at < most ? n : at + most;
      if (cursor.compare_exchange_weak(seen, round << 32 | static_cast<uint64_t>(end),
                                       std::memory_order_relaxed))
        return {at, end};
    }
  }

 private:
  struct alignas(64) Share {
    std::atomic<uint64_t> cursor{0};  // the round in the high half, items taken in the low one
    uint32_t round = 0;               // of the thread whose share it is; written by it alone
  };
  Share& share(int thread) { return shares_[static_cast<size_t>(thread)]; }

  std::vector<Share> shares_;
};

}  // namespace plumb::cpu
