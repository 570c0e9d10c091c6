#include "measure/bandwidth.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/memory.h"
#include "base/processor_features.h"

namespace plumb {
namespace {

// Bytes per second of the system's own search through all of the memory, once.
double rate_of_search(const AnonymousMemory& memory) {
  const auto size = static_cast<size_t>(memory.size());
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(std::memchr(memory.data(), 'y', size), nullptr);
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  return static_cast<double>(size) / time.count();
}

// As fast as the system's own search through as much memory, within what a busy machine does to
// one and not to the other.
TEST(Bandwidth, IsThatOfReadingMemory) {
  const AnonymousMemory memory(int64_t{256} << 20);
  std::memset(memory.data(), 'x', static_cast<size_t>(memory.size()));
  double best = 0, measured = 0;
  for (int i = 0; i < 3; ++i) {
    best = std::max(best, rate_of_search(memory));
    measured = std::max(measured, measure_read_bandwidth(1, std::chrono::milliseconds(20)));
  }
  EXPECT_LT(measured, 9 * best) << "searching is at most some times slower than adding up";
#ifdef NDEBUG  // not where sanitizers slow us down
  EXPECT_GT(measured, best / 6);
#endif
}

// A buffer that a second-level cache holds is read from memory all the same.
TEST(Bandwidth, CachesAreNotMeasured) {
  if (!has_clflushopt()) GTEST_SKIP() << "nothing puts a buffer out of the caches here";
  constexpr int64_t kSmall = int64_t{256} << 10;
  const AnonymousMemory memory(kSmall);
  std::memset(memory.data(), 'x', static_cast<size_t>(memory.size()));
  double cached = 0, measured = 0;
  for (int i = 0; i < 20; ++i) {
    cached = std::max(cached, rate_of_search(memory));
    measured = std::max(measured, measure_read_bandwidth(1, std::chrono::milliseconds(2), kSmall));
  }
  EXPECT_LT(measured, cached * 0.8);
}

// Wide bounds: what matters is the unit and that the time is kept to.
TEST(Bandwidth, IsAPlausibleNumberInAShortTime) {
  const auto start = std::chrono::steady_clock::now();
  for (const int n_threads : {1, 2, 3}) {
    const double bytes_per_second = measure_read_bandwidth(n_threads, std::chrono::milliseconds(5));
    EXPECT_GT(bytes_per_second, 1e7);
    EXPECT_LT(bytes_per_second, 1e14);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

}  // namespace
}  // namespace plumb
