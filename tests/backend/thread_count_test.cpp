#include "backend/cpu/thread_count.h"

#include <gtest/gtest.h>

#include <vector>

namespace plumb::cpu {
namespace {

// A machine whose batches take ns[t - 1] with t threads, which then sleep parked[t - 1] of it.
struct Machine {
  std::vector<int64_t> ns, parked;
};

// How often each number of threads worked in n runs of one token, after some more.
std::vector<int> shares(ThreadCount& count, const Machine& machine, int n, int before = 200) {
  std::vector<int> runs(machine.ns.size());
  for (int i = 0; i < before + n; ++i) {
    const auto at = static_cast<size_t>(count.now() - 1);
    if (i >= before) ++runs[at];
    count.ran(1, machine.ns[at], machine.parked[at]);
  }
  return runs;
}

TEST(ThreadCount, AllOfThemWhereNobodySleeps) {
  ThreadCount count(4);
  EXPECT_EQ(shares(count, {{400, 200, 130, 100}, {0, 0, 0, 0}}, 1000, 0)[3], 1000);
}

TEST(ThreadCount, FewerWhereThatIsFaster) {
  ThreadCount count(2);
  EXPECT_GT(shares(count, {{100, 115}, {0, 50}}, 1000)[0], 930);
}

TEST(ThreadCount, StaysWhereFewerAreSlower) {
  ThreadCount count(2);
  EXPECT_GT(shares(count, {{100, 80}, {0, 40}}, 1000)[1], 930);
}

TEST(ThreadCount, GoesDownStepByStep) {
  ThreadCount count(4);
  EXPECT_GT(shares(count, {{100, 60, 80, 90}, {0, 0, 100, 150}}, 1000, 1000)[1], 930);
}

TEST(ThreadCount, ComesBackWhenTheMachineIsFreeAgain) {
  ThreadCount count(3);
  shares(count, {{100, 110, 120}, {0, 60, 130}}, 2000);
  ASSERT_EQ(count.now(), 1);
  EXPECT_EQ(shares(count, {{100, 60, 40}, {0, 0, 0}}, 1000, 1000)[2], 1000);
}

// A hiccup, however long, is over before anything is tried; many of them cost nothing.
TEST(ThreadCount, HiccupsChangeNothing) {
  ThreadCount count(2);
  for (int i = 0; i < 5000; ++i) {
    ASSERT_EQ(count.now(), 2) << i;
    const bool hiccup = i % 500 == 100;
    count.ran(1, hiccup ? 2000 : 16, hiccup ? 1900 : 0);
  }
}

// A trial that was misled is put right within a few windows.
TEST(ThreadCount, AMistakeIsShort) {
  ThreadCount count(2);
  while (count.now() == 2) count.ran(1, 100, 90);
  for (int i = 0; i < 8; ++i) count.ran(1, 50, 0);  // faster with one, it seems
  ASSERT_EQ(count.now(), 1);
  EXPECT_LT(shares(count, {{50, 25}, {0, 0}}, 1000, 0)[0], 60);
}

// Runs of different sizes are never compared: with one token and two in turns nothing is tried.
TEST(ThreadCount, ComparesRunsOfOneSizeOnly) {
  ThreadCount count(2);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(count.now(), 2);
    count.ran(1 + i % 2, 100, 90);
  }
}

// A trial that is broken off by a batch of another size leaves the usual number.
TEST(ThreadCount, AnInterruptedTrialEnds) {
  ThreadCount count(2);
  while (count.now() == 2) count.ran(1, 100, 90);
  count.ran(2, 50, 0);
  EXPECT_EQ(count.now(), 2);
}

}  // namespace
}  // namespace plumb::cpu
