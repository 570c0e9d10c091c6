// The queue of merges: any order in, smallest first out.
#include "text/merge_queue.h"

#include <gtest/gtest.h>

#include <queue>

#include "support/random.h"

namespace plumb {
namespace {

TEST(MergeQueue, GivesTheSmallestFirst) {
  test::Random random(1);
  MergeQueue queue;
  for (int round = 0; round < 300; ++round) {
    queue.clear();
    std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> expected;
    uint64_t rising = 0;
    for (int i = 0; i < 300; ++i) {
      if (random.below(3) == 0) {
        EXPECT_EQ(queue.pop(), expected.empty() ? std::nullopt : std::optional(expected.top()));
        if (!expected.empty()) expected.pop();
        continue;
      }
      rising += static_cast<uint64_t>(random.below(3));
      const uint64_t value = round % 3 == 0 ? rising : random.next() >> (round % 3 == 1 ? 1 : 61);
      queue.push(value);
      expected.push(value);
    }
    for (; !expected.empty(); expected.pop()) EXPECT_EQ(queue.pop(), expected.top());
    EXPECT_EQ(queue.pop(), std::nullopt);
  }
}

}  // namespace
}  // namespace plumb
