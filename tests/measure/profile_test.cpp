#include "measure/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/machine.h"
#include "support/model_shapes.h"
#include "support/temp_folder.h"
#include "support/tiny_model.h"

namespace plumb {
namespace {

class ProfileOf : public testing::TestWithParam<std::string> {
 protected:
  Engine engine() {
    const auto file = folder_.path() / "tiny.gguf";
    test::tiny_llama({.n_context = 256}).write(file);
    return Engine(file, {.backend = {.name = GetParam(), .n_threads = 2},
                         .plan = {.n_positions = 128, .max_batch = 32}});
  }
  test::TempFolder folder_;
};

TEST_P(ProfileOf, StepsFillTheBatch) {
  Engine e = engine();
  const Plan& plan = e.plan();
  const Profile p = profile(e, {.n_tokens = 1, .depth = 70, .n_batches = 15});
  EXPECT_GE(p.n_threads, 1);  // beside other work one of two may be left out
  EXPECT_LE(p.n_threads, GetParam() == "cpu" ? std::min(2, usable_processors()) : 1);
  ASSERT_EQ(p.steps.size(), plan.steps.size());
  for (const StepProfile& s : p.steps) {
    EXPECT_GT(s.wall, 0);
    EXPECT_GE(s.waiting, 0);
    EXPECT_LE(s.waiting, s.wall);
  }
  EXPECT_LE(p.steps_ns(), p.batch_ns * 1.0001) << "steps are inside the batch";
  EXPECT_GT(p.steps_ns(), 0.2 * p.batch_ns) << "and a batch is little else";
  EXPECT_NEAR(p.steps_ns() + p.unaccounted_ns(), p.batch_ns, 1);
  EXPECT_GT(p.unwatched_ns, 0);
  EXPECT_EQ(e.executable().length(0), 70 + 1 + 2 * 15) << "every place of a chunk was met";
}

// The shared expert's share of steps that do more than its work.
TEST_P(ProfileOf, PathsDivideStepsOfTheSharedExpert) {
  const auto file = folder_.path() / "mixture.gguf";
  test::random_model(test::model_shape("tiny-qwen35moe")).write(file);
  Engine e(file, {.backend = {.name = GetParam(), .n_threads = 1},
                  .plan = {.n_positions = 16, .max_batch = 4}});
  const Profile p = profile(e, {.n_tokens = 1, .n_batches = 3});
  std::map<std::string, ProfileGroup> paths;
  double wall = 0;
  for (const ProfileGroup& g : groups_of(p, e.plan(), GroupBy::path)) {
    paths[g.name] = g;
    wall += g.wall;
  }
  EXPECT_NEAR(wall, p.steps_ns(), 1e-6 * wall);
  EXPECT_GT(paths["shared_expert"].wall, 0);
  EXPECT_EQ(paths["shared_expert"].n_steps, 2 * paths["router"].n_steps) << "route, experts down";
  EXPECT_GT(paths["routed_experts"].memory_bytes, paths["shared_expert"].memory_bytes);
  EXPECT_GT(paths["shared_expert"].memory_bytes, 0);
}

// What the profile costs is what watching costs: the others must not be watched.
TEST_P(ProfileOf, EverySecondBatchIsNotWatched) {
  Engine e = engine();
  const Profile p = profile(e, {.n_tokens = 1, .depth = 0, .n_batches = 7});
  EXPECT_EQ(p.watched, 7);
  EXPECT_EQ(p.unwatched, 7 + 1) << "one to warm up";
}

// Steps that are slow in turns: each one's own median would leave out the time of all.
TEST(ProfileSummary, StepsAddUpToTheBatch) {
  std::vector<WatchedBatch> batches;
  for (size_t i = 0; i < 12; ++i) {
    WatchedBatch batch{.wall = 10 + 3 + 100, .steps = std::vector<StepProfile>(4, {1, 0.5})};
    batch.steps[i % 4] = {100, 50};
    if (i == 0) batch.wall += 5000;  // something else ran
    batches.push_back(batch);
  }
  Profile p;
  summarize(batches, p);
  EXPECT_NEAR(p.batch_ns, 113, 1e-9);
  EXPECT_NEAR(p.steps_ns(), 103, 1e-9);
  EXPECT_NEAR(p.unaccounted_ns(), 10, 1e-9);
  EXPECT_GT(p.steps[1].waiting, p.steps[1].wall / 3);
}

TEST(ProfileSummary, ThreadsOfMostBatches) {
  const auto batches = [](std::initializer_list<int> threads) {
    std::vector<WatchedBatch> all;
    for (const int n : threads) all.push_back({.wall = 1, .steps = {}, .n_threads = n});
    return all;
  };
  EXPECT_EQ(usual_threads(batches({2, 1, 2, 1, 1})), 1);
  EXPECT_EQ(usual_threads(batches({1, 2, 2, 1})), 2) << "the larger of as many";
  EXPECT_EQ(usual_threads(batches({4})), 4);
}

TEST(ProfileSummary, OfASingleBatch) {
  Profile p;
  summarize({{.wall = 7, .steps = {{5, 1}}}}, p);
  EXPECT_EQ(p.batch_ns, 7);
  EXPECT_EQ(p.steps[0].wall, 5);
}

// By hand: what needs longer at its limit binds.
TEST_P(ProfileOf, SharesAreOfTheLimitThatBinds) {
  Engine e = engine();
  Profile p = profile(e, {.n_tokens = 20, .depth = 0, .n_batches = 1});
  EXPECT_EQ(groups_of(p, e.plan(), GroupBy::step)[1].least, 0) << "not measured";
  const auto step_of = [&](double read, double macs) {
    p.limits = {.read = read, .macs = {macs, macs, macs}};
    const auto groups = groups_of(p, e.plan(), GroupBy::step);
    return *std::ranges::max_element(groups, {}, &ProfileGroup::ops);
  };
  const ProfileGroup by_reads = step_of(1e3, 1e15), by_macs = step_of(1e15, 1e3);
  EXPECT_EQ(by_reads.limit, "reads");
  EXPECT_NEAR(by_reads.share_of_limit(),
              1e6 * static_cast<double>(by_reads.memory_bytes) / by_reads.wall,
              1e-6 * by_reads.share_of_limit());
  EXPECT_EQ(by_macs.limit, "f32");
  EXPECT_NEAR(by_macs.share_of_limit(), 1e6 * static_cast<double>(by_macs.ops) / 2 / by_macs.wall,
              1e-6 * by_macs.share_of_limit());
  EXPECT_NE(to_text(p, e.plan(), true).find("% of f32"), std::string::npos);
}

// A prompt's tokens see the same positions: the cache comes from memory once.
TEST_P(ProfileOf, TheCacheIsReadOncePerBatch) {
  Engine e = engine();
  const Profile p = profile(e, {.n_tokens = 20, .depth = 30, .n_batches = 1});
  int64_t attention = 0;
  for (const ProfileGroup& g : groups_of(p, e.plan(), GroupBy::kind))
    if (g.name == "attend") attention = g.memory_bytes;
  EXPECT_EQ(attention, 50 * e.plan().cache.bytes_per_position());
}

TEST_P(ProfileOf, ABusyMachineIsNamed) {
  Engine e = engine();
  Profile p = profile(e, {.n_tokens = 1, .depth = 0, .n_batches = 1});
  p.state.steal_share = 0;
  p.state.others_share = 0.01;
  EXPECT_EQ(to_text(p, e.plan(), false).find("busy"), std::string::npos);
  p.state.others_share = 0.3;
  EXPECT_NE(to_text(p, e.plan(), false).find("other programs took 30 %"), std::string::npos);
}

TEST_P(ProfileOf, LimitsAreMeasuredBeforeAndAfter) {
  Engine e = engine();
  const Profile p = profile(e, {.n_tokens = 1, .depth = 0, .n_batches = 1, .limit_threads = 1});
  ASSERT_EQ(p.limits_samples.size(), 2u);
  EXPECT_EQ(p.limits.read, std::max(p.limits_samples[0].read, p.limits_samples[1].read));
  EXPECT_GT(p.limits.of(Arithmetic::f32), 0);
}

TEST_P(ProfileOf, GroupsHoldEveryStepOnce) {
  Engine e = engine();
  const Plan& plan = e.plan();
  const Profile p = profile(e, {.n_tokens = 20, .depth = 0, .n_batches = 2});
  for (const GroupBy by : {GroupBy::step, GroupBy::kind, GroupBy::path, GroupBy::format}) {
    double wall = 0;
    int64_t n_steps = 0, bytes = 0;
    for (const ProfileGroup& g : groups_of(p, plan, by)) {
      wall += g.wall;
      n_steps += g.n_steps;
      bytes += g.bytes;
    }
    EXPECT_NEAR(wall, p.steps_ns(), 1);
    EXPECT_EQ(n_steps, std::ssize(plan.steps));
    EXPECT_GT(bytes, weight_bytes_per_token(plan));
  }
  EXPECT_EQ(groups_of(p, plan, GroupBy::step).front().name, plan.steps.front().name);
}

TEST_P(ProfileOf, TheTraceHasEveryStepOfEveryThread) {
  Engine e = engine();
  const Profile p = profile(e, {.n_tokens = 1, .depth = 0, .n_batches = 2});
  const auto trace = to_trace(p, e.plan());
  const auto& events = trace["traceEvents"];
  ASSERT_EQ(events.size(), 2 * e.plan().steps.size() * static_cast<size_t>(p.n_threads));
  for (const auto& event : events) {
    EXPECT_EQ(event["ph"], "X");
    EXPECT_GE(event["ts"], -1e6);
    EXPECT_GE(event["dur"], 0);
    EXPECT_GE(event["args"]["waited_us"], 0);
  }
}

TEST_P(ProfileOf, RefusesWhatDoesNotFit) {
  Engine e = engine();
  EXPECT_THROW(profile(e, {.n_tokens = 33}), Error);
  EXPECT_THROW(profile(e, {.n_tokens = 1, .depth = 128}), Error);
  EXPECT_EQ(profile(e, {.n_tokens = 1, .depth = 127, .n_batches = 1}).steps.size(),
            e.plan().steps.size());
}

INSTANTIATE_TEST_SUITE_P(Backends, ProfileOf, testing::Values("cpu", "reference"));

}  // namespace
}  // namespace plumb
