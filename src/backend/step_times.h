#pragma once
// When each thread began and ended each step of a batch: what a backend writes down where a profile
// asks it to. A few readings of the clock per step and thread, into memory of the thread's own.

#include <chrono>
#include <cstdint>
#include <vector>

namespace plumb {

class StepTimes {
 public:
  struct Span {
    int64_t begin = 0, end = 0;  // nanoseconds of the steady clock
    int64_t waited = 0;          // of them, for other threads inside the step
    int64_t busy() const { return end - begin - waited; }
  };

  // By the backend, once, before it writes: for as many threads as it has.
  void prepare(int n_threads, size_t n_steps) {
    threads_.assign(static_cast<size_t>(n_threads), std::vector<Span>(n_steps));
    n_threads_ = n_threads;
  }
  // Before each batch: the first n_threads of them run it.
  void start(int n_threads) { n_threads_ = n_threads; }
  int n_threads() const { return n_threads_; }
  size_t n_steps() const { return threads_.empty() ? 0 : threads_[0].size(); }

  Span& at(int thread, size_t step) { return threads_[static_cast<size_t>(thread)][step]; }
  const Span& at(int thread, size_t step) const {
    return threads_[static_cast<size_t>(thread)][step];
  }

  static int64_t now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

 private:
  std::vector<std::vector<Span>> threads_;  // [thread][step]
  int n_threads_ = 0;
};

}  // namespace plumb
