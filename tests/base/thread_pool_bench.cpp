// What a meeting of threads costs: steps of a given length with a barrier after each, and runs with
// nothing in them. The columns step_us - work_us is the price of a barrier, imbalance of the
// threads included. Run it with the machine idle, and again beside one or two busy processes (sh -c
// 'while :; do :; done' &): nothing may grow to a time slice (3000 us).
//   build/release/tests/base/base_bench

#include <benchmark/benchmark.h>

#include <chrono>

#include "base/thread_pool.h"

namespace plumb {
namespace {

using Clock = std::chrono::steady_clock;

void busy_for(std::chrono::microseconds time) {
  const auto end = Clock::now() + time;
  while (Clock::now() < end) continue;
}

void steps(benchmark::State& state) {
  ThreadPool pool(static_cast<int>(state.range(0)));
  const std::chrono::microseconds work(state.range(1));
  constexpr int kSteps = 200;
  const auto start = Clock::now();
  for (auto _ : state) {
    pool.run([&](int thread, int) {
      for (int step = 0; step < kSteps; ++step) {
        if (work.count() > 0) busy_for(work);
        pool.barrier(thread);
      }
    });
  }
  const std::chrono::duration<double, std::micro> elapsed = Clock::now() - start;
  state.counters["step_us"] = elapsed.count() / (static_cast<double>(state.iterations()) * kSteps);
}
BENCHMARK(steps)
    ->ArgNames({"threads", "work_us"})
    ->ArgsProduct({{1, 2, 4}, {0, 5, 100}})
    ->UseRealTime();

void empty_run(benchmark::State& state) {
  ThreadPool pool(static_cast<int>(state.range(0)));
  for (auto _ : state) pool.run([](int, int) {});
}
BENCHMARK(empty_run)->ArgName("threads")->Arg(1)->Arg(2)->Arg(4)->UseRealTime();

}  // namespace
}  // namespace plumb
