#include "backend/cpu/handout.h"

#include <gtest/gtest.h>

#include "base/thread_pool.h"

namespace plumb::cpu {
namespace {

TEST(Handout, PiecesFollowEachOtherUntilNoneAreLeft) {
  Handout handout(2);
  handout.next_round(0);
  std::vector<std::pair<int64_t, int64_t>> taken;
  for (;;) {
    const Range r = handout.take(0, 0, 10, 4);
    if (r.begin == r.end) break;
    taken.emplace_back(r.begin, r.end);
  }
  EXPECT_EQ(taken, (std::vector<std::pair<int64_t, int64_t>>{{0, 4}, {4, 8}, {8, 10}}));
}

TEST(Handout, AShareWhoseThreadHasNotComeYetIsTakenByOthers) {
  Handout handout(2);
  handout.next_round(0);
  EXPECT_EQ(handout.take(0, 1, 3, 2).end, 2);
  handout.next_round(1);  // it comes
  const Range rest = handout.take(1, 1, 3, 2);
  EXPECT_EQ(rest.begin, 2);
  EXPECT_EQ(rest.end, 3);
  EXPECT_EQ(handout.take(0, 1, 3, 2).end, 0);
}

TEST(Handout, AnEmptyShareGivesNothing) {
  Handout handout(1);
  handout.next_round(0);
  EXPECT_EQ(handout.take(0, 0, 0, 1).end, 0);
}

// A run that ended between rounds leaves some threads a round ahead.
TEST(Handout, ARunAfterABrokenOneStartsAnew) {
  Handout handout(2);
  handout.next_round(0);
  handout.next_round(1);
  handout.next_round(1);
  EXPECT_EQ(handout.take(1, 1, 4, 4).end, 4);
  handout.begin();
  handout.next_round(0);
  handout.next_round(1);
  EXPECT_EQ(handout.take(1, 1, 4, 4).end, 4);
}

// Every item of every round exactly once, however the threads run.
TEST(Handout, ThreadsTakeEverythingOnce) {
  constexpr int kThreads = 4, kItems = 37, kRounds = 2000;
  ThreadPool pool(kThreads);
  Handout handout(kThreads);
  std::vector<std::atomic<int>> counts(kThreads * kItems);
  handout.begin();
  std::atomic<bool> wrong = false;
  pool.run([&](int thread, int) {
    for (int round = 1; round <= kRounds; ++round) {
      handout.next_round(thread);
      for (int i = 0; i < kThreads; ++i) {
        const int of = (thread + i) % kThreads;
        for (Range r; (r = handout.take(thread, of, kItems, 1 + round % 5)).begin < r.end;)
          for (int64_t at = r.begin; at < r.end; ++at) ++counts[of * kItems + at];
      }
      pool.barrier(thread);
      for (int i = 0; i < kItems; ++i)
        if (counts[thread * kItems + i] != round) wrong = true;
      pool.barrier(thread);
    }
  });
  EXPECT_FALSE(wrong);
}

}  // namespace
}  // namespace plumb::cpu
