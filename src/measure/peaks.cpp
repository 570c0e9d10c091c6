#include "measure/peaks.h"

#include <algorithm>
#include <atomic>

#include "base/processor_features.h"
#include "base/thread_pool.h"

namespace plumb {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kPassSeconds = 0.002;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Rounds that take about a pass.
int64_t calibrate(const PeakKernel& kernel) {
  for (int64_t rounds = 1024;; rounds *= 2) {
    const auto start = Clock::now();
    kernel.run(rounds);
    if (seconds_since(start) > kPassSeconds / 2) return rounds;
  }
}

struct Candidate {
  bool present;
  const PeakKernel& kernel;
};

}  // namespace

std::string_view arithmetic_name(Arithmetic arithmetic) {
  constexpr std::string_view kNames[] = {"dot8", "bf16", "f32"};
  return kNames[static_cast<size_t>(arithmetic)];
}

std::vector<PeakKernel> peak_kernels() {
  using namespace peaks;
  const Candidate all[] = {  // best first
#if defined(__x86_64__)
    {has_avx512_vnni(), kAvx512Dot8},
    {has_avx_vnni(), kAvxVnniDot8},
    {has_avx2(), kAvx2Dot8},
    {has_avx512_bf16(), kAvx512Bf16},
    {has_avx512(), kAvx512F32},
    {has_avx2(), kAvx2F32},
#endif
    {true, kPortableDot8},
    {true, kPortableF32}
  };
  std::vector<PeakKernel> chosen;
  for (const Arithmetic wanted : {Arithmetic::dot8, Arithmetic::bf16, Arithmetic::f32}) {
    const auto* best = std::ranges::find_if(
        all, [&](const Candidate& c) { return c.present && c.kernel.arithmetic == wanted; });
    if (best != std::end(all)) chosen.push_back(best->kernel);
  }
  return chosen;
}

double measure_peak(const PeakKernel& kernel, int n_threads, std::chrono::milliseconds time) {
  const int64_t rounds = calibrate(kernel);
  std::atomic<bool> again{true};
  double best = 0;
  int passes = 0;
  ThreadPool pool(n_threads);
  pool.run([&](int thread, int) {
    const auto begin = Clock::now();
    while (again) {
      pool.barrier(thread);
      const auto start = Clock::now();
      kernel.run(rounds);
      pool.barrier(thread);
      if (thread == 0) {
        const double seconds = seconds_since(start);
        best = passes == 0 ? seconds : std::min(best, seconds);
        again = ++passes < 2 || Clock::now() - begin < time;
      }
      pool.barrier(thread);
    }
  });
  const auto macs = static_cast<double>(kernel.macs_per_round * rounds * n_threads);
  return best > 0 ? macs / best : 0;
}

}  // namespace plumb
