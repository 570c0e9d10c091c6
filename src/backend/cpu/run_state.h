#pragma once
// What the steps of one executable share while they run.

#include <cstdint>

#include "backend/cpu/batch_state.h"
#include "backend/cpu/cache.h"
#include "backend/cpu/handout.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/workspace.h"
#include "backend/recurrent_states.h"
#include "backend/sequences.h"
#include "base/thread_pool.h"

namespace plumb::cpu {

struct RunState {
  const KernelSet& kernels;
  ThreadPool& pool;
  const Sequences& sequences;
  const RecurrentStates& states;
  const BatchState& batch;
  const Cache& cache;
  const Workspace& workspace;
  Handout& handout;
};

// One thread of a run. Every thread runs every step; barriers inside a step are met by all.
struct Worker {
  const RunState& run;
  int thread, n_threads;
  StepTimes::Span* watched = nullptr;  // of the step that runs, where somebody watches

  const WorkerSpace& space() const { return run.workspace.workers[static_cast<size_t>(thread)]; }
  void barrier() const {
    const int64_t start = watched ? StepTimes::now() : 0;
    run.pool.barrier(thread);
    if (watched) watched->waited += StepTimes::now() - start;
  }
  // This thread's share of n items that come in lots of `lot`.
  Range share(int64_t n, int64_t lot = 1) const {
    const int64_t lots = (n + lot - 1) / lot;
    const auto border = [&](int64_t t) {
      const int64_t at = lots * t / n_threads * lot;
      return at < n ? at : n;
    };
    return {border(thread), border(thread + 1)};
  }
  // f(Range) for pieces of n items that come in lots of `lot`: of this thread's share, then of what
  // others have left of theirs. Every thread calls it, and a barrier comes after.
  template <typename F>
  void hand_out(int64_t n, int64_t lot, F f) const {
    constexpr int64_t kPieces = 8;  // of a share
    Handout& handout = run.handout;
    handout.next_round(thread);
    for (int i = 0; i < n_threads; ++i) {
      const int of = (thread + i) % n_threads;
      const Range all = Worker{run, of, n_threads}.share(n, lot);
      const int64_t lots = (all.end - all.begin + lot - 1) / lot;
      const int64_t piece = lots / kPieces > 0 ? lots / kPieces : 1;
      for (;;) {
        const Range taken = handout.take(thread, of, lots, piece);
        if (taken.begin == taken.end) break;
        const int64_t end = all.begin + taken.end * lot;
        f(Range{all.begin + taken.begin * lot, end < all.end ? end : all.end});
      }
    }
  }
};

}  // namespace plumb::cpu
