// check(): finds an error planted in any one step, names it, and no other.

#include "measure/check.h"

#include <gtest/gtest.h>

#include "backend/reference/reference.h"
#include "base/error.h"
#include "model/reading.h"
#include "support/model_shapes.h"
#include "support/tiny_engine.h"

namespace plumb {
namespace {

using test::some_ids;
using test::TinyPlan;

// The reference with one of its steps broken: one value of its output, in the middle unless said
// otherwise, is off by a share of the largest.
class Broken final : public Executable {
 public:
  Broken(const Plan& plan, std::unique_ptr<Executable> sound, size_t broken_step, float error)
      : plan_(plan), sound_(std::move(sound)), broken_step_(broken_step), error_(error) {}
  bool run(const Batch& batch) override { return sound_->run(batch); }
  std::span<const float> logits(int64_t row) const override { return sound_->logits(row); }
  int32_t picked(int64_t row) const override { return sound_->picked(row); }
  int64_t length(int slot) const override { return sound_->length(slot); }
  int64_t truncate(int slot, int64_t n) override { return sound_->truncate(slot, n); }
  int64_t copy_prefix(int from, int to, int64_t n) override {
    return sound_->copy_prefix(from, to, n);
  }
  int n_threads() const override { return sound_->n_threads(); }
  void watch(StepTimes* times) override { sound_->watch(times); }
  void begin(const Batch& batch) override { sound_->begin(batch); }
  void end() override { sound_->end(); }
  std::span<float> buffer(BufferId id) override { return sound_->buffer(id); }
  void run_step(size_t step) override {
    sound_->run_step(step);
    if (step != broken_step_) return;
    for (const BufferId id : buffers_written(plan_.steps[step])) {
      const auto values = sound_->buffer(id);
      if (values.empty()) continue;
      float largest = 0;
      for (const float v : values) largest = std::max(largest, std::abs(v));
      values[values.size() / 3] += error_ * largest;
    }
  }

 private:
  const Plan& plan_;
  std::unique_ptr<Executable> sound_;
  size_t broken_step_;
  float error_;
};

TEST(Check, SoundBackendHasNoDifference) {
  const TinyPlan tiny;
  const auto backend = make_reference_backend();
  const auto a = backend->compile(tiny.plan), b = backend->compile(tiny.plan);
  const CheckResult result = check(tiny.plan, *a, *b, some_ids(20, tiny.model.n_vocab));
  EXPECT_EQ(result.steps_checked, static_cast<int64_t>(tiny.plan.steps.size()));
  EXPECT_FALSE(result.first);
  EXPECT_EQ(result.largest->max_abs, 0);
}

TEST(Check, FindsAndNamesAPlantedErrorInEveryStep) {
  const TinyPlan tiny;
  const auto backend = make_reference_backend();
  for (size_t step = 0; step < tiny.plan.steps.size(); ++step) {
    if (buffers_written(tiny.plan.steps[step]).empty())
      continue;  // attend is seen through merge; pick has a test of its own
    const auto reference = backend->compile(tiny.plan);
    Broken broken(tiny.plan, backend->compile(tiny.plan), step, 0.1f);
    const CheckResult result =
        check(tiny.plan, *reference, broken, some_ids(20, tiny.model.n_vocab));
    ASSERT_TRUE(result.first) << tiny.plan.steps[step].name;
    EXPECT_EQ(result.first->step, step);
    EXPECT_EQ(result.first->name, tiny.plan.steps[step].name);
    EXPECT_GE(result.first->max_rel, 0.099);  // of its own token's values, which may be smaller
    EXPECT_GT(result.first->rms_rel, 0);
  }
}

TEST(Check, ErrorsBelowTheToleranceAreReportedAsLargestOnly) {
  const TinyPlan tiny;
  const auto backend = make_reference_backend();
  const auto reference = backend->compile(tiny.plan);
  Broken broken(tiny.plan, backend->compile(tiny.plan), 5, 1e-5f);
  const CheckResult result = check(tiny.plan, *reference, broken, some_ids(20, tiny.model.n_vocab));
  EXPECT_FALSE(result.first);
  EXPECT_EQ(result.largest->step, 5u);
}

TEST(Check, AToleranceThatIsGivenStandsForAllSteps) {
  const TinyPlan tiny;
  const auto backend = make_reference_backend();
  const auto reference = backend->compile(tiny.plan);
  Broken broken(tiny.plan, backend->compile(tiny.plan), 5, 0.1f);
  const auto ids = some_ids(20, tiny.model.n_vocab);
  EXPECT_TRUE(check(tiny.plan, *reference, broken, ids).first);
  reference->truncate(0, 0);
  broken.truncate(0, 0);
  EXPECT_FALSE(check(tiny.plan, *reference, broken, ids, 10).first);
}

// Only block formats and small cache types are given room to round.
TEST(Check, ToleranceIsWhatAStepMayRound) {
  PlanOptions options{.n_positions = 16, .max_batch = 16};
  options.cache_k = options.cache_v = Format::f32;
  const TinyPlan exact({}, options), quantised({.n_embd = 96, .matrices = Format::q4_1});
  for (const Step& step : exact.plan.steps)
    EXPECT_LE(default_tolerance(exact.plan, step).max_rel, 1e-4) << step.name;
  for (const Step& step : quantised.plan.steps) {
    const double tolerance = default_tolerance(quantised.plan, step).max_rel;
    const bool codes = step.name.ends_with("qkv") || step.name.ends_with("out") ||
                       step.name.ends_with("gate up") || step.name.ends_with("down");
    EXPECT_EQ(tolerance > 0.01, codes) << step.name;
  }
}

// Products of two products with weights, of which one may be small.
TEST(Check, GatedStepsMayRoundMore) {
  for (const auto& [name, gated] : {std::pair{"tiny-qwen35moe", "experts gate up"},
                                    {"tiny-gemma4-per-layer", "per-layer gate"}}) {
    const gguf::File file =
        test::open(test::random_model(test::model_shape(name), {.matrices = Format::q4_0}));
    const ModelDesc model = load_model_desc(file);
    const Plan plan = compile(model, {.n_positions = 16, .max_batch = 16});
    int found = 0;
    for (const Step& step : plan.steps)
      if (step.name.ends_with(gated)) {
        EXPECT_GE(default_tolerance(plan, step).max_rel, 0.1) << name << ' ' << step.name;
        ++found;
      }
    EXPECT_GT(found, 0) << name;
  }
}

TEST(Check, NotANumberIsADifference) {
  const TinyPlan tiny;
  const auto backend = make_reference_backend();
  const auto reference = backend->compile(tiny.plan);
  Broken broken(tiny.plan, backend->compile(tiny.plan), 7, NAN);
  const CheckResult result = check(tiny.plan, *reference, broken, some_ids(1, tiny.model.n_vocab));
  ASSERT_TRUE(result.first);
  EXPECT_EQ(result.first->step, 7u);
}

TEST(Check, NotANumberInTheReferenceIsAnError) {
  const TinyPlan tiny;
  const auto backend = make_reference_backend();
  for (const float bad : {NAN, INFINITY}) {
    Broken reference(tiny.plan, backend->compile(tiny.plan), 7, bad);
    Broken broken(tiny.plan, backend->compile(tiny.plan), 7, bad);
    try {
      check(tiny.plan, reference, broken, some_ids(1, tiny.model.n_vocab));
      FAIL() << bad;
    } catch (const Error& e) {
      const std::string step = "step 7 (" + tiny.plan.steps[7].name + "): expected finite";
      EXPECT_NE(std::string(e.what()).find(step), std::string::npos) << e.what();
    }
  }
}

}  // namespace
}  // namespace plumb
