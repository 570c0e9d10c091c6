#pragma once
// What the steps of one executable share while they run.

#include <cstdint>

#include "backend/cpu/batch_state.h"
#include "backend/cpu/cache.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/workspace.h"
#include "backend/sequences.h"
#include "base/thread_pool.h"

namespace plumb::cpu {

struct RunState {
  const KernelSet& kernels;
  ThreadPool& pool;
  const Sequences& sequences;
  const BatchState& batch;
  const Cache& cache;
  const Workspace& workspace;
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
  struct Range {
    int64_t begin, end;
  };
  Range share(int64_t n, int64_t lot = 1) const {
    const int64_t lots = (n + lot - 1) / lot;
    const auto border = [&](int64_t t) {
      const int64_t at = lots * t / n_threads * lot;
      return at < n ? at : n;
    };
    return {border(thread), border(thread + 1)};
  }
};

}  // namespace plumb::cpu
