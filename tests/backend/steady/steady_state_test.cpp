// The token loop of the CPU backend in its steady state: no allocation, no lock, no system call. A
// thread that has spun in vain, because something else ran on another's processor, parks
// (std::atomic::wait: sched_yield a few times, then futex): several threads are looked at for
// several short whiles, some of which nothing disturbs. One thread never waits.

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <mutex>

#if defined(__linux__)
#include <sys/syscall.h>
#endif

#include "backend/cpu/cpu.h"
#include "backend/steady/counting.h"
#include "support/tiny_engine.h"

namespace plumb {
namespace {

// Decodes greedily, one token after another.
class Loop {
 public:
  explicit Loop(int n_threads, bool repack = true)
      : backend_(make_cpu_backend(n_threads, "", repack)),
        executable_(backend_->compile(tiny_.plan)) {
    test::feed(*executable_, test::some_ids(40, tiny_.model.n_vocab));
    generate(3);
  }

  void generate(int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      position_ = static_cast<int32_t>(executable_->length(0));
      executable_->run({{&token_, 1}, {&position_, 1}, {&slot_, 1}, {&wants_, 1}});
      token_ = executable_->picked(0);
    }
  }

 private:
  // Room for several pages of the cache and chunks of attention.
  test::TinyPlan tiny_{{.n_embd = 96, .n_ff = 160, .n_context = 300, .matrices = Format::q4_1},
                       {.n_positions = 300, .max_batch = 64, .max_logits = 64}};
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Executable> executable_;
  int32_t token_ = 1, position_ = 0, slot_ = 0;
  uint8_t wants_ = 1;
};

constexpr int64_t kTokens = 200;

class SteadyState : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (!test::can_count()) GTEST_SKIP() << "needs glibc and no sanitizer";
  }
};
INSTANTIATE_TEST_SUITE_P(Threads, SteadyState, ::testing::Values(1, 2));

TEST_P(SteadyState, AllocatesNothingAndLocksNothing) {
  for (const bool repack : {true, false}) {
    Loop loop(GetParam(), repack);
    const test::Counts counts = test::count_calls([&] { loop.generate(kTokens); });
    EXPECT_EQ(counts.allocations, 0);
    EXPECT_EQ(counts.locks, 0);
  }
}

#if defined(__linux__)
TEST_P(SteadyState, CallsTheSystemForNothingButParking) {
  constexpr int kWhiles = 25, kTokensOfOne = 4;
  const auto traced = test::trace_system_calls(kWhiles, [n = GetParam()] {
    return [loop = std::make_shared<Loop>(n)] { loop->generate(kTokensOfOne); };
  });
  if (!traced) GTEST_SKIP() << "this process may not trace its children";
  ASSERT_TRUE(traced->ran_to_the_end);
  for (const auto& [call, n] : traced->calls)
    EXPECT_TRUE(GetParam() > 1 && (call == SYS_futex || call == SYS_sched_yield))
        << "system call " << call << ", " << n << " times in " << kWhiles * kTokensOfOne
        << " tokens";
  EXPECT_GT(traced->runs_without_calls, 0);
  RecordProperty("whiles without system calls", traced->runs_without_calls);
}

// The counters count.
TEST(Counting, SystemCallsOfAllThreads) {
  if (!test::can_count()) GTEST_SKIP() << "needs glibc and no sanitizer";
  const auto traced = test::trace_system_calls(3, [] {
    return [n = 0]() mutable {
      if (++n == 6) return;  // the third run that is counted
      syscall(SYS_getuid);
      std::thread([] { syscall(SYS_getgid); }).join();
    };
  });
  if (!traced) GTEST_SKIP() << "this process may not trace its children";
  EXPECT_TRUE(traced->ran_to_the_end);
  EXPECT_EQ(traced->calls.at(SYS_getuid), 2);
  EXPECT_EQ(traced->calls.at(SYS_getgid), 2);
  EXPECT_EQ(traced->runs_without_calls, 1);
}
#endif

TEST(Counting, AllocationsAndLocks) {
  if (!test::can_count()) GTEST_SKIP() << "needs glibc and no sanitizer";
  std::mutex mutex;
  const test::Counts counts = test::count_calls([&] {
    std::vector<int> one(100, 1);
    const std::lock_guard guard(mutex);
    void* volatile other = malloc(10);
    free(other);
    EXPECT_EQ(one[3], 1);
  });
  EXPECT_EQ(counts.allocations, 2);
  EXPECT_EQ(counts.locks, 1);
}

}  // namespace
}  // namespace plumb
