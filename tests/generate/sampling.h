#pragma once
// What the tests of the sampler share: options with every stage off, logits of given weights, and
// what is left of them.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "generate/sampler.h"

namespace plumb::test {

inline constexpr float kInf = std::numeric_limits<float>::infinity();
inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Every stage off: plain softmax at temperature 1.
inline SamplerOptions plain(uint64_t seed = 1) {
  return {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .logit_bias = {}, .seed = seed};
}
inline SamplerOptions greedy() {
  SamplerOptions o = plain();
  o.temperature = 0;
  return o;
}

inline std::vector<float> logs(const std::vector<double>& weights) {
  std::vector<float> logits;
  for (const double w : weights) logits.push_back(static_cast<float>(std::log(w)));
  return logits;
}

// What survives for these logits, as id -> probability.
inline std::map<int32_t, double> survivors(const SamplerOptions& options,
                                           const std::vector<float>& logits,
                                           const std::vector<int32_t>& seen = {}) {
  Sampler sampler(options, static_cast<int32_t>(logits.size()), 1024);
  sampler.read(seen);
  sampler.sample(logits);
  std::map<int32_t, double> result;
  for (const auto& c : sampler.candidates()) result[c.id] = c.probability;
  return result;
}

inline void expect_distribution(const std::map<int32_t, double>& got,
                                const std::map<int32_t, double>& weights) {
  double total = 0;
  for (const auto& [id, w] : weights) total += w;
  EXPECT_EQ(got.size(), weights.size());
  for (const auto& [id, w] : weights) {
    ASSERT_TRUE(got.count(id)) << "token " << id;
    EXPECT_NEAR(got.at(id), w / total, 1e-6) << "token " << id;
  }
}

}  // namespace plumb::test
