// Pages and sequences: bookkeeping alone, no arithmetic.

#include "backend/sequences.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/tiny_engine.h"

namespace plumb {
namespace {

class SequencesTest : public ::testing::Test {
 protected:
  size_t feed(int slot, int64_t n) {
    std::vector<int32_t> tokens(static_cast<size_t>(n), 0), positions, slots(tokens.size(), slot);
    for (int64_t i = 0; i < n; ++i)
      positions.push_back(static_cast<int32_t>(sequences.length(slot) + i));
    const std::vector<uint8_t> wants(tokens.size(), 0);
    return sequences.extend({tokens, positions, slots, wants}).size();
  }
  test::TinyPlan tiny{{},
                      {.n_positions = 150, .n_sequences = 3, .max_batch = 150, .max_logits = 1}};
  Sequences sequences{tiny.plan};
};

TEST_F(SequencesTest, PagesAreTakenAsNeeded) {
  feed(0, 1);
  EXPECT_EQ(sequences.pages(0).size(), 1u);
  feed(0, 63);
  EXPECT_EQ(sequences.pages(0).size(), 1u);
  feed(0, 1);
  EXPECT_EQ(sequences.pages(0).size(), 2u);
  feed(1, 150);
  EXPECT_EQ(sequences.pages(1).size(), 3u);
  EXPECT_NE(sequences.page(0, 0), sequences.page(1, 0));
}

TEST_F(SequencesTest, TruncateGivesPagesBack) {
  for (int round = 0; round < 10; ++round) {  // would run out of pages otherwise
    for (int slot = 0; slot < 3; ++slot) feed(slot, 150);
    for (int slot = 0; slot < 3; ++slot) sequences.truncate(slot, 0);
  }
  feed(0, 130);
  sequences.truncate(0, 64);
  EXPECT_EQ(sequences.pages(0).size(), 1u);
  EXPECT_EQ(sequences.length(0), 64);
}

TEST_F(SequencesTest, SharedPagesAreCopiedWhenWritten) {
  feed(0, 100);
  sequences.copy_prefix(0, 1, 90);
  EXPECT_EQ(sequences.page(1, 0), sequences.page(0, 0));
  EXPECT_EQ(feed(1, 1), 1u);  // the second page is shared: copied
  EXPECT_EQ(sequences.page(1, 0), sequences.page(0, 0));
  EXPECT_NE(sequences.page(1, 64), sequences.page(0, 64));
  EXPECT_EQ(feed(0, 1), 0u);  // now its own
  EXPECT_EQ(sequences.length(0), 101);
  EXPECT_EQ(sequences.length(1), 91);
}

TEST_F(SequencesTest, PrefixesOfPrefixesNeverRunOutOfPages) {
  for (int round = 0; round < 20; ++round) {
    feed(0, 150 - sequences.length(0));
    sequences.copy_prefix(0, 1, 70 + round);
    sequences.copy_prefix(1, 2, 65);
    feed(1, 40);
    feed(2, 80);
    sequences.truncate(0, 10 * (round % 8));
    feed(0, 3);
  }
}

TEST_F(SequencesTest, BadBatchesChangeNothing) {
  feed(0, 5);
  const std::vector<uint8_t> wants{0};
  const auto run = [&](int32_t token, int32_t position, int32_t slot) {
    sequences.extend({std::span(&token, 1), std::span(&position, 1), std::span(&slot, 1), wants});
  };
  EXPECT_THROW(run(-1, 5, 0), Error);
  EXPECT_THROW(run(static_cast<int32_t>(tiny.model.n_vocab), 5, 0), Error);
  EXPECT_THROW(run(0, 4, 0), Error);
  EXPECT_THROW(run(0, 6, 0), Error);
  EXPECT_THROW(run(0, 0, 3), Error);
  EXPECT_THROW(run(0, 0, -1), Error);
  EXPECT_THROW(feed(1, 151), Error);
  EXPECT_THROW(feed(0, 0), Error);
  EXPECT_EQ(sequences.length(0), 5);
  EXPECT_EQ(sequences.length(1), 0);
}

}  // namespace
}  // namespace plumb
