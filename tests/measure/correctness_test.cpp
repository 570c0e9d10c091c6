// The numbers of docs/correctness.md on the real model: the reference backend against llama.cpp on
// exactly expanded weights, the cpu backend against the reference. Each prints what it found.

#include <gtest/gtest.h>

#include <algorithm>

#include "backend/cpu/cpu.h"
#include "backend/reference/reference.h"
#include "measure/check.h"
#include "support/smollm2.h"

namespace plumb {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

class SmolLm2Test : public ::testing::Test {
 protected:
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "minutes under a sanitizer; the release build runs it";
    if (!std::filesystem::exists(test::smollm2_path()))
      GTEST_SKIP() << "needs " << test::smollm2_path() << "; ./run.sh puts it there";
    model = std::make_unique<test::SmolLm2>();
    data = test::smollm2_reference();
    reference = make_reference_backend()->compile(model->plan);
  }
  std::unique_ptr<test::SmolLm2> model;
  test::ReferenceData data;
  std::unique_ptr<Executable> reference;
};

TEST_F(SmolLm2Test, ReferenceLogitsAreLlamaCpps) {
  const auto logits = test::logits_of_texts(*reference, data);
  double largest = 0;
  int64_t positions = 0;
  for (size_t t = 0; t < data.texts.size(); ++t)
    for (size_t i = 0; i < logits[t].size(); ++i, ++positions)
      for (size_t c = 0; c < data.columns.size(); ++c) {
        const float got = logits[t][i][static_cast<size_t>(data.columns[c])],
                    expected = data.texts[t].sampled[i][c];
        largest =
            std::max(largest, std::abs(static_cast<double>(got) - static_cast<double>(expected)));
      }
  std::printf("largest logit difference over %ld positions: %.2e\n", static_cast<long>(positions),
              largest);
  EXPECT_GE(positions, 200);
  EXPECT_LE(largest, 1e-3);
}

TEST_F(SmolLm2Test, ReferenceGreedyTokensAreLlamaCpps) {
  test::logits_of_texts(*reference, data);
  std::vector<int32_t> next, positions, slots;
  int64_t row = -1;
  for (size_t t = 0; t < data.texts.size(); ++t) {
    row += static_cast<int64_t>(data.texts[t].ids.size());
    next.push_back(reference->picked(row));
    positions.push_back(static_cast<int32_t>(data.texts[t].ids.size()));
    slots.push_back(static_cast<int32_t>(t));
  }
  for (size_t i = 0; i < 64; ++i) {
    for (size_t t = 0; t < data.texts.size(); ++t)
      ASSERT_EQ(next[t], data.texts[t].greedy[i]) << data.texts[t].name << ", token " << i;
    reference->run({next, positions, slots, std::vector<uint8_t>(next.size(), 1)});
    for (size_t t = 0; t < next.size(); ++t) {
      next[t] = reference->picked(static_cast<int64_t>(t));
      ++positions[t];
    }
  }
}

TEST_F(SmolLm2Test, ReferenceBatchAgainstOneByOne) {
  const auto& ids = data.texts.front().ids;
  const auto run = [&](std::span<const int32_t> part, int32_t position, int32_t slot) {
    std::vector<int32_t> positions, slots(part.size(), slot);
    for (size_t i = 0; i < part.size(); ++i)
      positions.push_back(position + static_cast<int32_t>(i));
    reference->run({part, positions, slots, std::vector<uint8_t>(part.size(), 1)});
  };
  run(ids, 0, 0);
  std::vector<std::vector<float>> batch;
  for (size_t i = 0; i < ids.size(); ++i)
    batch.emplace_back(reference->logits(static_cast<int64_t>(i)).begin(),
                       reference->logits(static_cast<int64_t>(i)).end());
  double largest = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    run(std::span(ids).subspan(i, 1), static_cast<int32_t>(i), 1);
    const auto row = reference->logits(0);
    for (size_t v = 0; v < row.size(); ++v)
      largest = std::max(largest,
                         std::abs(static_cast<double>(row[v]) - static_cast<double>(batch[i][v])));
  }
  std::printf("batch against one by one: %.2e\n", largest);
  EXPECT_LE(largest, 1e-5);
}

// The default cache (f16) and two threads, as users run it.
TEST_F(SmolLm2Test, CpuIsAsCloseToExactAsLlamaCpp) {
  const Plan plan = compile(
      model->model, {.n_positions = 256, .n_sequences = 5, .max_batch = 512, .max_logits = 512});
  const auto cpu = make_cpu_backend(2, "")->compile(plan);
  const auto exact = test::logits_of_texts(*reference, data),
             got = test::logits_of_texts(*cpu, data);
  double divergence = 0;
  int64_t positions = 0, same_top = 0;
  for (size_t t = 0; t < exact.size(); ++t)
    for (size_t i = 0; i < exact[t].size(); ++i, ++positions) {
      divergence += test::kl_divergence(exact[t][i], got[t][i]);
      same_top += std::max_element(exact[t][i].begin(), exact[t][i].end()) - exact[t][i].begin() ==
                  std::max_element(got[t][i].begin(), got[t][i].end()) - got[t][i].begin();
    }
  divergence /= static_cast<double>(positions);
  std::printf(
      "mean KL divergence over %ld positions: %.5f (llama.cpp %.5f), same most likely token %.1f "
      "%%\n",
      static_cast<long>(positions), divergence, data.llama_cpp_kld,
      100.0 * static_cast<double>(same_top) / static_cast<double>(positions));
  EXPECT_LE(divergence, data.llama_cpp_kld);
}

TEST_F(SmolLm2Test, CheckFindsNothingInTheCpuBackend) {
  const auto cpu = make_cpu_backend(2, "")->compile(model->plan);
  const CheckResult result = check(model->plan, *reference, *cpu, data.texts.front().ids);
  ASSERT_TRUE(result.largest);
  std::printf("largest difference of a step: %s, %.2e of its token's largest value, %.2e rms\n",
              result.largest->name.c_str(), result.largest->max_rel, result.largest->rms_rel);
  EXPECT_FALSE(result.first) << result.first->name << " " << result.first->max_rel << " "
                             << result.first->rms_rel;
}

}  // namespace
}  // namespace plumb
