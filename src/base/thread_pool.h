#pragma once
// A fork-join pool for steps of a few microseconds. run() lets every thread call the same function
// once; inside it, barrier() lines them up between steps. Waiting spins for a bounded time, because
// waking a sleeping thread costs more than a step, and then parks, so that a busy machine does not
// lose whole time slices to spinning. The steady state takes no lock and allocates nothing.

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace plumb {

// A number that threads wait on: most changes are seen by spinning; a sleeper is woken only where
// there is one. Where spinning has been in vain several times (somebody else runs on our
// processors) it is cut short, and tried in full again now and then.
class alignas(64) Gate {
 public:
  uint32_t value() const { return value_.load(std::memory_order_acquire); }
  void set(uint32_t value);
  void wait_while(uint32_t old, int spins);  // returns when the value is not `old` any more
  int64_t parked_ns() const { return parked_ns_.load(std::memory_order_relaxed); }

 private:
  bool changes_within(uint32_t old, int spins) const;
  std::atomic<uint32_t> value_{0};
  std::atomic<uint32_t> sleepers_{0};
  std::atomic<uint32_t> in_vain_{0};   // spins that ended in sleep, in a row
  std::atomic<int64_t> parked_ns_{0};  // that threads slept here, in all
};

class ThreadPool {
 public:
  // The calling thread is thread 0, n_threads - 1 others are started (CHECK: n_threads >= 1; Error
  // when the system refuses).
  explicit ThreadPool(int n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return n_threads_; }

  // Calls f(int thread, int n_threads) once on each of the first n_threads threads (CHECK: 1 to
  // size()) and returns when all calls have ended. The first exception is thrown again here, after
  // all have ended; threads that wait for the failed one in barrier() are unwound. Called by one
  // thread at a time, never from inside f.
  template <typename F>
  void run(int n_threads, F&& f) {
    using Function = std::remove_reference_t<F>;
    if (n_threads == 1) {
      n_running_ = 1;
      return static_cast<void>(f(0, 1));
    }
    run_job(
        {const_cast<void*>(static_cast<const void*>(std::addressof(f))),
         [](void* function, int thread, int n) { (*static_cast<Function*>(function))(thread, n); }},
        n_threads);
  }
  template <typename F>
  void run(F&& f) {
    run(n_threads_, std::forward<F>(f));
  }

  // For how long threads have slept inside runs, waiting for others, all together: next to nothing
  // where every thread has a processor of its own.
  int64_t parked_ns() const { return phase_.parked_ns() + done_.parked_ns(); }

  // Inside run, called by every thread of it equally often: returns when all have arrived, and
  // everything written before it by any thread is visible after it to every thread.
  void barrier(int thread);

 private:
  struct Job {
    void* function;
    void (*call)(void* function, int thread, int n_threads);
  };
  struct Aborted {};  // unwinds a thread that waits for one that threw

  void run_job(Job job, int n_threads);
  void start_workers();
  void stop_workers();
  void work(int thread);
  void call_job(int thread);
  void abort_run();

  int n_threads_;
  int n_running_ = 1;  // threads of the current run
  int barrier_spins_, idle_spins_;
  Job job_{};
  bool in_run_ = false;  // of thread 0
  std::atomic<bool> stopping_{false};
  std::exception_ptr error_;
  Gate start_;                        // counts runs: a change starts the workers
  std::atomic<uint64_t> started_{0};  // the run in the high half, its threads in the low one
  Gate done_;                         // the run that ended last
  Gate phase_;                        // counts barriers passed (and aborted runs)
  alignas(64) std::atomic<int> finished_{0};  // workers that ended the current run
  alignas(64) std::atomic<int> arrived_{0};   // threads at the current barrier
  alignas(64) std::atomic<bool> aborted_{false};
  std::vector<std::thread> workers_;
};

}  // namespace plumb
