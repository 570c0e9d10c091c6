#include "measure/bench.h"

#include <gtest/gtest.h>

#include <set>

#include "generate/generate.h"
#include "support/temp_folder.h"
#include "support/tiny_model.h"

namespace plumb::test {
namespace {

class BenchTiny : public ::testing::Test {
 protected:
  BenchTiny() { tiny_llama().write(path_); }
  Bench bench(BenchOptions options, int64_t n_positions = 64) const {
    options.measure_limits = false;
    return Bench(setup_, n_positions, options);
  }
  TempFolder folder_;
  std::filesystem::path path_ = folder_.path() / "tiny.gguf";
  BenchSetup setup_{.model = path_.string(),
                    .n_batch = 8,
                    .n_ubatch = 8,
                    .type_k = Format::f16,
                    .type_v = Format::f16,
                    .n_threads = 1};
};

std::vector<int32_t> copy(std::span<const int32_t> ids) {
  return {ids.begin(), ids.end()};
}

// What is timed is what was asked for: the first token's logits are there too.
TEST_F(BenchTiny, LogitsOfEveryTokenAreComputed) {
  Bench b = bench({.repetitions = 1, .warm_up = false, .all_logits = true}, 8);
  const auto first_row = [&](int64_t n_prompt) {
    EXPECT_TRUE(b.run({.n_prompt = n_prompt, .n_gen = 0, .n_depth = 0}).options.all_logits);
    const auto row = b.engine().executable().logits(0);
    return std::vector<float>(row.begin(), row.end());
  };
  EXPECT_EQ(first_row(1), first_row(3));
}

TEST_F(BenchTiny, TheCacheIsAsDeepAsAskedFor) {
  Bench b = bench({.repetitions = 2});
  for (const int64_t depth : {20, 5, 0, 33}) {
    b.run({.n_prompt = 7, .n_gen = 3, .n_depth = depth});
    EXPECT_EQ(b.engine().executable().length(0), depth + 10);
    EXPECT_EQ(std::ssize(b.ids()), depth + 10);
  }
}

// The tokens that the same sampler draws from the same logits, step by step.
TEST_F(BenchTiny, SamplingFeedsWhatWasSampled) {
  constexpr BenchTest kTest{.n_prompt = 0, .n_gen = 12, .n_depth = 5};
  Bench plain = bench({.repetitions = 1}),
        sampling = bench({.repetitions = 2, .with_sampling = true});
  plain.run(kTest);
  EXPECT_TRUE(sampling.run(kTest).options.with_sampling);
  const std::vector<int32_t> random = copy(plain.ids()), sampled = copy(sampling.ids());
  ASSERT_EQ(sampled.size(), 17u);
  EXPECT_NE(sampled, random);

  plain.engine().executable().truncate(0, 0);
  Session session(plain.engine());
  Sampler sampler = make_sampler(plain.engine(), {.seed = 1}, true);
  session.feed(std::span(random).first(5));
  sampler.read(session.ids());
  int32_t id = random[5];
  for (size_t i = 5; i < 17; ++i) {
    EXPECT_EQ(sampled[i], id) << i;
    session.feed({&id, 1});
    id = sampler.sample(session.logits().first(static_cast<size_t>(sampler.n_vocab())));
    sampler.accept(id);
  }
}

// A clock of nanoseconds does not show ten times the same number.
TEST_F(BenchTiny, EveryRepetitionIsTimed) {
  Bench b = bench({.repetitions = 10});
  std::vector<std::string> told;
  const auto result = b.run({.n_prompt = 8, .n_gen = 2, .n_depth = 0},
                            [&](const std::string& what) { told.push_back(what); });
  const std::set<int64_t> times(result.samples_ns.begin(), result.samples_ns.end());
  EXPECT_EQ(result.samples_ns.size(), 10u);
  EXPECT_GT(times.size(), 5u);
  EXPECT_EQ(told.size(), 11u);
  EXPECT_EQ(told.back(), "run 10/10");
}

}  // namespace
}  // namespace plumb::test
