#include "measure/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
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

TEST_P(ProfileOf, StepsFillTheBatchAndNoMore) {
  Engine e = engine();
  const Plan& plan = e.plan();
  const Profile p = profile(e, {.n_tokens = 1, .depth = 70, .n_batches = 15});
  EXPECT_EQ(p.n_threads, GetParam() == "cpu" ? 2 : 1);
  ASSERT_EQ(p.steps.size(), plan.steps.size());
  for (const StepProfile& s : p.steps) {
    EXPECT_GT(s.wall, 0);
    EXPECT_GE(s.waiting, 0);
    EXPECT_LE(s.waiting, s.wall);
  }
  // Medians do not add up to the median of the sum; a factor of three is beyond that.
  EXPECT_LT(p.steps_ns(), 3 * p.batch_ns);
  EXPECT_GT(p.unwatched_ns, 0);
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
