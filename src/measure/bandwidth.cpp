#include "measure/bandwidth.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/machine.h"
#include "base/memory.h"
#include "base/processor_features.h"
#include "base/thread_pool.h"

namespace plumb {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kLeast = int64_t{64} << 20;
constexpr int64_t kPiece = int64_t{2} << 20;

// Eight sums side by side: the compiler makes vectors of them, and no addition waits for the one
// before it.
uint64_t sum(std::span<const uint64_t> words) {
  uint64_t sums[8] = {};
  for (size_t i = 0; i + 8 <= words.size(); i += 8)
    for (size_t j = 0; j < 8; ++j) sums[j] += words[i + j];
  uint64_t total = 0;
  for (const uint64_t s : sums) total += s;
  return total;
}

// Out of every cache: some last-level caches hold the whole buffer, and what is asked for is
// memory.
#if defined(__x86_64__)
__attribute__((target("clflushopt"))) void evict(std::span<const uint64_t> words) {
  if (!has_clflushopt()) return;
  for (size_t i = 0; i < words.size(); i += 8) __builtin_ia32_clflushopt(words.data() + i);
  __builtin_ia32_mfence();
}
#else
void evict(std::span<const uint64_t>) {}
#endif

// Writes pieces of the memory, so that they are real pages near their reader, until all is written
// or, after the least, the time is over: where the system itself must first find memory, filling it
// can take longer than everything else. Returns the bytes written.
int64_t fill(uint8_t* memory, int64_t bytes, int64_t piece, int64_t least,
             Clock::time_point deadline) {
  int64_t done = 0;
  for (; done < bytes && (done < least || Clock::now() < deadline); done += piece)
    std::memset(memory + done, 1, static_cast<size_t>(piece));
  return done;
}

}  // namespace

double measure_read_bandwidth(int n_threads, std::chrono::milliseconds time, int64_t bytes) {
  const int64_t piece = std::min(kPiece, bytes);
  const int64_t wanted = std::max(bytes, n_threads * piece);  // some for each
  const int64_t share = std::min(wanted, available_memory_bytes() / 4) / n_threads / piece * piece;
  if (share <= 0) return 0;
  const AnonymousMemory buffer(share * n_threads);
  std::atomic<int64_t> total{0};
  std::atomic<uint64_t> sink{0};
  std::atomic<bool> again{true};
  std::vector<double> seconds;
  ThreadPool pool(n_threads);
  pool.run([&](int thread, int) {
    uint8_t* mine = buffer.data() + thread * share;
    const int64_t filled = fill(mine, share, piece, kLeast / n_threads, Clock::now() + time);
    total += filled;
    const std::span words(reinterpret_cast<const uint64_t*>(mine), static_cast<size_t>(filled) / 8);
    const auto begin = Clock::now();
    while (again) {
      evict(words);
      pool.barrier(thread);
      const auto start = Clock::now();
      sink += sum(words);
      pool.barrier(thread);
      if (thread == 0) {
        const auto end = Clock::now();
        seconds.push_back(std::chrono::duration<double>(end - start).count());
        again = seconds.size() < 2 || end - begin < time;
      }
      pool.barrier(thread);
    }
  });
  const double best = *std::min_element(seconds.begin(), seconds.end());
  return best > 0 && sink != 0 ? static_cast<double>(total) / best : 0;
}

}  // namespace plumb
