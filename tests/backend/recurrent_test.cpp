// Sequences of recurrent models: what batches, neighbours, truncation and copies may not change.

#include <gtest/gtest.h>

#include <atomic>

#include "backend/recurrent_states.h"
#include "backend/reference/reference.h"
#include "support/model_shapes.h"
#include "support/slow.h"
#include "support/tiny_engine.h"

namespace plumb {
namespace {

using test::feed;
using test::largest_difference;
using test::some_ids;

struct Recurrent {
  explicit Recurrent(const PlanOptions& options = {.cache_k = Format::f32,
                                                   .cache_v = Format::f32,
                                                   .n_positions = 320,
                                                   .n_sequences = 3,
                                                   .max_batch = 320,
                                                   .max_logits = 320})
      : bytes(test::random_model(test::model_shape("tiny-qwen35")).bytes()),
        file(gguf::File::from_bytes(
            "tiny.gguf", {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()})),
        model(load_model_desc(file)),
        plan(compile(model, options)) {}

  std::unique_ptr<Executable> make() const { return make_reference_backend()->compile(plan); }

  std::string bytes;
  gguf::File file;
  ModelDesc model;
  Plan plan;
};

using Logits = std::vector<std::vector<float>>;

Logits in_pieces(Executable& e, std::span<const int32_t> ids, size_t size, int slot = 0) {
  Logits all;
  for (size_t at = 0; at < ids.size(); at += size)
    for (auto& row : feed(e, ids.subspan(at, std::min(size, ids.size() - at)), slot))
      all.push_back(std::move(row));
  return all;
}

TEST(Recurrent, PiecesAndNeighboursChangeNothing) {
  if (test::kThreadSanitizer) GTEST_SKIP() << "one thread, and slow";
  const Recurrent tiny;
  const auto ids = some_ids(150, tiny.model.n_vocab), other = some_ids(150, tiny.model.n_vocab, 9);
  const auto whole = feed(*tiny.make(), ids);
  for (const size_t size : {1, 7, 64}) {
    const auto pieces = in_pieces(*tiny.make(), ids, size);
    for (size_t i = 0; i < ids.size(); ++i)
      ASSERT_LE(largest_difference(pieces[i], whole[i]), 1e-5) << size << " at " << i;
  }
  const auto mixed = tiny.make();
  std::vector<int32_t> tokens, positions, slots;
  for (int32_t i = 0; i < 150; ++i)
    for (const int32_t slot : {2, 0}) {
      tokens.push_back((slot ? ids : other)[static_cast<size_t>(i)]);
      positions.push_back(i);
      slots.push_back(slot);
    }
  mixed->run({tokens, positions, slots, std::vector<uint8_t>(tokens.size(), 1)});
  for (size_t i = 0; i < ids.size(); ++i)
    ASSERT_LE(largest_difference(mixed->logits(static_cast<int64_t>(2 * i)), whole[i]), 1e-5) << i;
}

TEST(Recurrent, TruncationGoesBackToAKeptStateAndContinuesAsAFreshRun) {
  if (test::kThreadSanitizer) GTEST_SKIP() << "one thread, and slow";
  const Recurrent tiny;
  const auto ids = some_ids(200, tiny.model.n_vocab), tail = some_ids(40, tiny.model.n_vocab, 5);
  const auto used = tiny.make(), fresh = tiny.make();
  feed(*used, ids);
  EXPECT_EQ(used->truncate(0, 150), 128);  // of a batch the page boundaries are kept
  EXPECT_EQ(used->length(0), 128);
  feed(*fresh, std::span(ids).first(128));
  EXPECT_EQ(feed(*used, tail), feed(*fresh, tail));
  EXPECT_EQ(used->truncate(0, 168), 168);  // nothing to do
  EXPECT_EQ(used->truncate(0, 130), 128);  // a batch of many tokens began there
  EXPECT_EQ(used->truncate(0, 127), 64);
  EXPECT_EQ(used->truncate(0, 63), 0);
  EXPECT_EQ(feed(*used, tail), feed(*tiny.make(), tail));
}

TEST(Recurrent, OneByOneKeepsPageBoundaries) {
  const Recurrent tiny;
  const auto ids = some_ids(140, tiny.model.n_vocab), tail = some_ids(9, tiny.model.n_vocab, 5);
  const auto used = tiny.make(), fresh = tiny.make();
  in_pieces(*used, ids, 1);
  EXPECT_EQ(used->truncate(0, 139), 128);
  in_pieces(*fresh, std::span(ids).first(128), 1);
  EXPECT_EQ(feed(*used, tail), feed(*fresh, tail));
}

TEST(Recurrent, TurnsOfAChatAreKeptWhereTheyBegin) {
  const Recurrent tiny;
  const auto ids = some_ids(100, tiny.model.n_vocab);
  const auto e = tiny.make();
  feed(*e, std::span(ids).first(30));
  feed(*e, std::span(ids).subspan(30, 25));
  EXPECT_EQ(e->truncate(0, 54), 30);
}

TEST(Recurrent, WhatIsKeptIsBounded) {
  if (test::kThreadSanitizer) GTEST_SKIP() << "one thread, and slow";
  Recurrent tiny({.n_positions = 1024, .max_batch = 130, .max_logits = 130, .n_snapshots = 3});
  EXPECT_EQ(state_bytes(tiny.plan),
            4 * (tiny.plan.states.bytes() + tiny.plan.states.chunk_bytes()));
  const auto e = tiny.make();
  const auto ids = some_ids(650, tiny.model.n_vocab);
  in_pieces(*e, ids, 130);
  // Three states, the older the further apart: counted by going back from each to the one before.
  std::vector<int64_t> kept;
  for (int64_t at = e->length(0); at > 0;) kept.push_back(at = e->truncate(0, at - 1));
  EXPECT_EQ(kept.size(), 4u);  // and the beginning
  EXPECT_GE(kept.front(), 580);
  EXPECT_GE(kept[0] - kept[1], 64);
  Recurrent none({.n_positions = 256, .max_batch = 200, .max_logits = 200, .n_snapshots = 0});
  const auto forgetful = none.make();
  feed(*forgetful, some_ids(130, none.model.n_vocab));
  EXPECT_EQ(forgetful->truncate(0, 129), 0);
}

TEST(Recurrent, CopiedPrefixContinuesAsItsSource) {
  const Recurrent tiny;
  const auto ids = some_ids(100, tiny.model.n_vocab), tail = some_ids(10, tiny.model.n_vocab, 3);
  const auto e = tiny.make(), fresh = tiny.make();
  feed(*e, ids);
  feed(*e, tail, 1);  // goes away
  EXPECT_EQ(e->copy_prefix(0, 1, 90), 64);
  EXPECT_EQ(e->length(1), 64);
  EXPECT_EQ(e->copy_prefix(0, 2, 100), 100);
  feed(*fresh, std::span(ids).first(64), 1);
  EXPECT_EQ(feed(*e, tail, 1), feed(*fresh, tail, 1));
  feed(*fresh, ids, 0);
  const auto expected = feed(*fresh, tail, 0);
  EXPECT_EQ(feed(*e, tail, 2), expected);
  EXPECT_EQ(feed(*e, tail, 0), expected);  // the source was not written to
}

TEST(Recurrent, ABatchThatIsGivenUpLeavesNoTrace) {
  const Recurrent tiny;
  const auto ids = some_ids(100, tiny.model.n_vocab), tail = some_ids(30, tiny.model.n_vocab, 3);
  const auto e = tiny.make(), fresh = tiny.make();
  feed(*e, ids);
  feed(*fresh, ids);
  const std::atomic<bool> stop{true};
  std::vector<int32_t> positions, slots(tail.size(), 0);
  for (size_t i = 0; i < tail.size(); ++i) positions.push_back(static_cast<int32_t>(100 + i));
  const std::vector<uint8_t> wants(tail.size(), 0);
  EXPECT_FALSE(e->run({tail, positions, slots, wants, &stop}));
  EXPECT_EQ(e->length(0), 100);
  EXPECT_EQ(feed(*e, tail), feed(*fresh, tail));
  // One token is soon done: it is not given up, and the state before it not kept.
  const std::vector<int32_t> one{130};
  EXPECT_TRUE(e->run({std::span(tail).first(1), one, std::span(slots).first(1),
                      std::span(wants).first(1), &stop}));
}

}  // namespace
}  // namespace plumb
