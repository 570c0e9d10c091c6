#include "base/thread_pool.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/machine.h"

namespace plumb {
namespace {

using Clock = std::chrono::steady_clock;

// How long a thread spins before it parks. A step takes 5 to 500 us and waking a parked thread 5 to
// 50 us (more in a virtual machine), so barriers spin a little longer than a wake-up costs; between
// runs the sampler and the terminal have their turn.
constexpr double kBarrierSpinUs = 50, kIdleSpinUs = 200;

// After kTrusted spins in vain only a part of a spin is made, and the whole again every kRetry-th
// time. Beside busy processes this makes a step of 5 us four times as fast and an empty run eight
// times (docs/experiments.md); alone on the machine it changes nothing.
constexpr uint32_t kTrusted = 4, kRetry = 32;
constexpr int kCutSpins = 16;

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// One pause takes from 1 ns to 50 ns depending on the processor, so spins are counted in what they
// take here.
double pauses_per_us() {
  double best_ns = 1e9;
  for (int attempt = 0; attempt < 5; ++attempt) {  // the shortest one was not interrupted
    const auto start = Clock::now();
    for (int i = 0; i < 500; ++i) pause_briefly();
    best_ns =
        std::min(best_ns, std::chrono::duration<double, std::nano>(Clock::now() - start).count());
  }
  return 500 * 1000 / std::max(best_ns, 100.0);
}

// Signals meant for the terminal's user go to the main thread: it may sit in a read that they
// should end.
class TerminalSignalsBlocked {
 public:
  TerminalSignalsBlocked() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) sigaddset(&signals, s);
    pthread_sigmask(SIG_BLOCK, &signals, &before_);
  }
  ~TerminalSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  TerminalSignalsBlocked(const TerminalSignalsBlocked&) = delete;
  TerminalSignalsBlocked& operator=(const TerminalSignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

// The order of "value, then sleepers" here and "sleepers, then value" below, both sequentially
// consistent, makes sure that either the sleeper sees the new value or the setter sees the sleeper.
void Gate::set(uint32_t value) {
  value_.store(value, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) != 0) value_.notify_all();
}

bool Gate::changes_within(uint32_t old, int spins) const {
  for (int i = 0; i < spins; ++i) {
    if (value() != old) return true;
    pause_briefly();
  }
  return value() != old;
}

void Gate::wait_while(uint32_t old, int spins) {
  const uint32_t in_vain = in_vain_.load(std::memory_order_relaxed);
  const bool in_full = in_vain < kTrusted || in_vain % kRetry == 0;
  if (changes_within(old, in_full ? spins : spins / kCutSpins)) {
    if (in_vain != 0) in_vain_.store(0, std::memory_order_relaxed);
    return;
  }
  in_vain_.store(in_vain + 1, std::memory_order_relaxed);
  const auto start = Clock::now();
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  value_.wait(old, std::memory_order_seq_cst);
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
  parked_ns_.fetch_add(std::chrono::nanoseconds(Clock::now() - start).count(),
                       std::memory_order_relaxed);
}

ThreadPool::ThreadPool(int n_threads) : n_threads_(n_threads) {
  CHECK(n_threads >= 1, "n_threads {}", n_threads);
  // Where threads outnumber processors, whoever spins keeps the awaited one from running.
  const double rate = n_threads > usable_processors() ? 0 : pauses_per_us();
  barrier_spins_ = static_cast<int>(rate * kBarrierSpinUs);
  idle_spins_ = static_cast<int>(rate * kIdleSpinUs);
  start_workers();
}

ThreadPool::~ThreadPool() {
  stop_workers();
}

void ThreadPool::start_workers() {
  const TerminalSignalsBlocked blocked;
  try {
    for (int t = 1; t < n_threads_; ++t) workers_.emplace_back([this, t] { work(t); });
  } catch (const std::system_error& e) {
    stop_workers();
    fail_machine("cannot start {} threads: {}", n_threads_, e.what());
  }
}

void ThreadPool::stop_workers() {
  stopping_ = true;
  start_.set(start_.value() + 1);
  for (std::thread& w : workers_) w.join();
}

void ThreadPool::run_job(Job job, int n_threads) {
  CHECK(!in_run_, "run() inside run()");
  CHECK(n_threads >= 1 && n_threads <= n_threads_, "{} of {} threads", n_threads, n_threads_);
  in_run_ = true;
  job_ = job;
  n_running_ = n_threads;
  finished_.store(0, std::memory_order_relaxed);
  const uint32_t run = start_.value() + 1;
  started_.store(uint64_t{run} << 32 | static_cast<uint32_t>(n_threads), std::memory_order_release);
  start_.set(run);
  call_job(0);
  for (uint32_t done; (done = done_.value()) != run;) done_.wait_while(done, barrier_spins_);
  in_run_ = false;
  if (!aborted_.load(std::memory_order_relaxed)) return;
  aborted_.store(false, std::memory_order_relaxed);
  arrived_.store(0, std::memory_order_relaxed);
  std::rethrow_exception(std::exchange(error_, nullptr));
}

// A thread that belongs to a run holds it open until it has done its part. One that does not may
// see the next ones start meanwhile, and one more than the gate tells: hence the run and its
// threads in one number.
void ThreadPool::work(int thread) {
  uint32_t last = 0;
  for (;;) {
    start_.wait_while(last, idle_spins_);
    if (stopping_) return;
    const uint64_t started = started_.load(std::memory_order_acquire);
    const auto run = static_cast<uint32_t>(started >> 32);
    const auto n_threads = static_cast<int>(started & 0xffffffff);
    if (run == last) continue;
    last = run;
    if (thread >= n_threads) continue;
    call_job(thread);
    if (finished_.fetch_add(1, std::memory_order_acq_rel) + 2 == n_threads) done_.set(run);
  }
}

void ThreadPool::call_job(int thread) {
  try {
    job_.call(job_.function, thread, n_running_);
  } catch (const Aborted&) {  // the one that threw has been recorded
  } catch (...) {
    abort_run();
  }
}

// Called while handling an exception: keeps the first, and lets go those who wait for this thread.
void ThreadPool::abort_run() {
  if (aborted_.exchange(true, std::memory_order_acq_rel)) return;
  error_ = std::current_exception();
  phase_.set(phase_.value() + 1);
}

// The last to arrive opens the gate. An abort is announced before it moves the phase, so whoever
// read the moved phase sees it too.
void ThreadPool::barrier([[maybe_unused]] int thread) {
  if (n_running_ == 1) return;
  const uint32_t phase = phase_.value();
  if (aborted_.load(std::memory_order_relaxed)) throw Aborted{};
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == n_running_) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.set(phase + 1);
    return;
  }
  phase_.wait_while(phase, barrier_spins_);
  if (aborted_.load(std::memory_order_relaxed)) throw Aborted{};
}

}  // namespace plumb
