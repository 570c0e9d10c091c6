// The fork-join pool: every thread runs once, barriers order memory, failures end the run and not
// the pool.

#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <stdexcept>
#include <string>
#include <vector>

namespace plumb {
namespace {

// One, the usual two, and more threads than any small machine has processors.
class ThreadPoolTest : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1, 2, 3, 7));

TEST_P(ThreadPoolTest, every_thread_runs_once_per_run) {
  ThreadPool pool(GetParam());
  ASSERT_EQ(pool.size(), GetParam());
  std::vector<int> calls(static_cast<size_t>(pool.size()));
  for (int run = 0; run < 500; ++run)
    pool.run([&](int thread, int n) {
      if (n == pool.size()) ++calls[static_cast<size_t>(thread)];
    });
  EXPECT_EQ(calls, std::vector<int>(calls.size(), 500));
}

// Any number of them, changing from run to run: exactly the first ones, and their barriers hold.
TEST_P(ThreadPoolTest, the_first_threads_run_where_fewer_are_asked_for) {
  ThreadPool pool(GetParam());
  std::vector<int> calls(static_cast<size_t>(pool.size())), expected(calls.size());
  std::atomic<int> arrived = 0, early = 0;
  for (int run = 0; run < 2000; ++run) {
    const int n = 1 + (run * 5 + run / 7) % pool.size();
    arrived = 0;
    pool.run(n, [&](int thread, int n_threads) {
      if (n_threads == n) ++calls[static_cast<size_t>(thread)];
      ++arrived;
      pool.barrier(thread);
      if (arrived != n) ++early;
    });
    for (int t = 0; t < n; ++t) ++expected[static_cast<size_t>(t)];
  }
  EXPECT_EQ(calls, expected);
  EXPECT_EQ(early, 0);
}

TEST(ThreadPool, tells_how_long_threads_slept_inside_runs) {
  ThreadPool pool(2);
  pool.run([&](int thread, int) { pool.barrier(thread); });
  const int64_t before = pool.parked_ns();
  pool.run([&](int thread, int) {
    if (thread == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    pool.barrier(thread);
  });
  EXPECT_GT(pool.parked_ns() - before, 5'000'000);
}

TEST_P(ThreadPoolTest, the_caller_is_thread_0) {
  ThreadPool pool(GetParam());
  std::vector<std::thread::id> ids(static_cast<size_t>(pool.size()));
  pool.run([&](int thread, int) { ids[static_cast<size_t>(thread)] = std::this_thread::get_id(); });
  EXPECT_EQ(ids[0], std::this_thread::get_id());
  std::ranges::sort(ids);
  EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end());
}

// Every step each thread adds its neighbour's value of the step before: a barrier that lets one
// thread through early, or does not publish its writes, gives another sum (and a report under the
// thread sanitizer).
TEST_P(ThreadPoolTest, barrier_separates_steps) {
  ThreadPool pool(GetParam());
  const int n = pool.size(), n_steps = 2000;
  std::vector<uint64_t> now(static_cast<size_t>(n)), next(now.size());
  for (size_t i = 0; i < now.size(); ++i) now[i] = i + 1;
  std::vector<uint64_t> expected = now, scratch(now.size());
  pool.run([&](int thread, int) {
    auto *from = &now, *to = &next;
    for (int step = 0; step < n_steps; ++step) {
      (*to)[static_cast<size_t>(thread)] = (*from)[static_cast<size_t>((thread + 1) % n)] * 3 + 1;
      std::swap(from, to);
      pool.barrier(thread);
    }
  });
  for (int step = 0; step < n_steps; ++step) {
    for (size_t i = 0; i < now.size(); ++i) scratch[i] = expected[(i + 1) % now.size()] * 3 + 1;
    expected.swap(scratch);
  }
  EXPECT_EQ(now, expected);
}

TEST_P(ThreadPoolTest, an_exception_of_any_thread_reaches_the_caller_and_the_pool_goes_on) {
  ThreadPool pool(GetParam());
  for (int thrower = 0; thrower < pool.size(); ++thrower) {
    try {
      pool.run([&](int thread, int) {
        if (thread == thrower) throw std::runtime_error(std::to_string(thread));
      });
      ADD_FAILURE() << "expected an exception from thread " << thrower;
    } catch (const std::runtime_error& e) {
      EXPECT_EQ(e.what(), std::to_string(thrower));
    }
    std::atomic<int> calls = 0;
    pool.run([&](int, int) { ++calls; });
    EXPECT_EQ(calls, pool.size());
  }
}

TEST_P(ThreadPoolTest, threads_waiting_for_one_that_threw_are_let_go) {
  ThreadPool pool(GetParam());
  for (int attempt = 0; attempt < 50; ++attempt) {
    const int thrower = attempt % pool.size(), fatal_step = attempt % 5;
    EXPECT_THROW(pool.run([&](int thread, int) {
      for (int step = 0; step < 10; ++step) {
        if (thread == thrower && step == fatal_step) throw std::runtime_error("planted");
        pool.barrier(thread);
      }
    }),
                 std::runtime_error);
    int steps = 0;
    pool.run([&](int thread, int) {  // barriers work again
      for (int step = 0; step < 3; ++step) {
        pool.barrier(thread);
        if (thread == 0) ++steps;
        pool.barrier(thread);
      }
    });
    EXPECT_EQ(steps, 3);
  }
}

// Threads that come late must be waited for, parked, and woken: longer than any spin.
TEST_P(ThreadPoolTest, parked_threads_wake_up) {
  ThreadPool pool(GetParam());
  std::vector<int> steps(static_cast<size_t>(pool.size()));
  for (int run = 0; run < 4; ++run) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));  // idle workers park
    pool.run([&](int thread, int n) {
      for (int late = 0; late < n; ++late) {
        if (thread == late) std::this_thread::sleep_for(std::chrono::milliseconds(2));
        pool.barrier(thread);
        ++steps[static_cast<size_t>(thread)];
      }
    });
  }
  EXPECT_EQ(steps, std::vector<int>(steps.size(), 4 * pool.size()));
}

TEST(ThreadPool, idle_workers_use_no_processor_time) {
  ThreadPool pool(2);
  pool.run([](int, int) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the spin after a run is over
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC, 0.1);
}

TEST(ThreadPool, pools_may_live_side_by_side) {
  ThreadPool a(2), b(3);
  std::atomic<int> total = 0;
  a.run([&](int thread, int) {
    if (thread == 0) b.run([&](int inner, int) { total += inner + 1; });
  });
  EXPECT_EQ(total, 1 + 2 + 3);
}

TEST(ThreadPoolDeathTest, run_inside_run_is_a_broken_invariant) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        ThreadPool pool(2);
        pool.run([&](int thread, int) {
          if (thread == 0) pool.run([](int, int) {});
        });
      },
      "run\\(\\) inside run\\(\\)");
}

}  // namespace
}  // namespace plumb
