#include "measure/bandwidth.h"

#include <gtest/gtest.h>

#include <chrono>

namespace plumb {
namespace {

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
