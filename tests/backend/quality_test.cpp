// What the cpu backend's rounding of activations costs on quantised models of the families: the
// mean KL divergence from an exact evaluation of the same weights is no higher than llama.cpp's
// own.

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "backend/cpu/cpu.h"
#include "backend/reference/reference.h"
#include "base/file.h"
#include "support/quality_cases.h"
#include "support/slow.h"
#include "support/tiny_cases.h"
#include "support/tiny_engine.h"

namespace plumb {
namespace {

// Of q from p, in nats, both given by logits.
double kl_divergence(std::span<const float> p, std::span<const float> q) {
  const auto log_sum = [](std::span<const float> logits) {
    double sum = 0;
    for (const float x : logits) sum += std::exp(static_cast<double>(x));
    return std::log(sum);
  };
  const double p_sum = log_sum(p), q_sum = log_sum(q);
  double divergence = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const double log_p = static_cast<double>(p[i]) - p_sum,
                 log_q = static_cast<double>(q[i]) - q_sum;
    divergence += std::exp(log_p) * (log_p - log_q);
  }
  return divergence;
}

// Of the cpu backend from the exact one, the mean over positions.
double divergence_of(const test::QualityCase& c, uint64_t seed) {
  const std::string bytes = test::quality_model(c, seed).bytes();
  const auto file = gguf::File::from_bytes(
      "tiny.gguf", {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  const ModelDesc model = load_model_desc(file);
  const Plan plan = compile(model, {.cache_k = Format::f32,
                                    .cache_v = Format::f32,
                                    .n_positions = 256,
                                    .max_batch = 160,
                                    .max_logits = 160});
  const auto ids = test::quality_ids(model.n_vocab);
  const auto exact = test::feed(*make_reference_backend()->compile(plan), ids),
             got = test::feed(*make_cpu_backend(2, "")->compile(plan), ids);
  double divergence = 0;
  for (size_t i = 0; i < ids.size(); ++i)
    divergence += kl_divergence(exact[i], got[i]) / static_cast<double>(ids.size());
  return divergence;
}

class Quality : public ::testing::TestWithParam<test::QualityCase> {};

TEST_P(Quality, CostsNoMoreThanLlamaCpps) {
  if (test::kThreadSanitizer) GTEST_SKIP() << "no more threads than in other tests, and slow";
  const test::QualityCase& c = GetParam();
  if (test::kSlow && c.n_seeds > 1) GTEST_SKIP() << "the release build runs it";
  double divergence = 0;
  for (uint64_t seed = 1; seed <= c.n_seeds; ++seed)
    divergence += divergence_of(c, seed) / static_cast<double>(c.n_seeds);
  const auto costs = nlohmann::json::parse(
      read_file(std::filesystem::path(PLUMB_TEST_DATA) / "correctness/quality.json"));
  const double llama_cpps = costs["mean KL divergence"][c.held_to].get<double>();
  std::printf("%s: %.2e (llama.cpp %.2e)\n", c.name.c_str(), divergence, llama_cpps);
  EXPECT_LE(divergence, llama_cpps);
  EXPECT_GT(divergence, 0);
}

INSTANTIATE_TEST_SUITE_P(Cases, Quality, ::testing::ValuesIn(test::quality_cases()),
                         [](const auto& param) {
                           std::string name = param.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace plumb
