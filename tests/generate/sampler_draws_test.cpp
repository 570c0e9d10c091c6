// Draws follow the distribution, the seed decides, and whole vocabularies come out in order.
#include <algorithm>
#include <numeric>

#include "generate/sampler.h"
#include "sampling.h"

namespace plumb {
namespace {

using namespace test;

// Pearson's statistic of n draws against probabilities.
double chi_square(Sampler& sampler, const std::vector<float>& logits,
                  const std::map<int32_t, double>& expected, int n) {
  std::map<int32_t, int> counts;
  for (int i = 0; i < n; ++i) ++counts[sampler.sample(logits)];
  double statistic = 0;
  int drawn = 0;
  for (const auto& [id, p] : expected) {
    drawn += counts[id];
    statistic += (counts[id] - n * p) * (counts[id] - n * p) / (n * p);
  }
  EXPECT_EQ(drawn, n) << "a token that should never be drawn was";
  return statistic;
}

// Against a full sort, for vocabularies that make the bar rise slowly, fast and not at all.
TEST(Sampler, TopKAgreesWithSorting) {
  const int n = 5000;
  for (const int k : {1, 7, 40, 2000, 4999, 5000}) {
    for (const int shape : {0, 1, 2, 3}) {
      std::vector<float> logits(n);
      for (int i = 0; i < n; ++i) {
        const int hashed = static_cast<int>((static_cast<uint64_t>(i) * 2654435761u) % 1000u);
        const int values[] = {i, -i, hashed, 7};
        logits[static_cast<size_t>(i)] = static_cast<float>(values[shape]) * 0.001f;
      }
      std::vector<int32_t> order(n);
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
        return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
      });
      SamplerOptions o = plain();
      o.top_k = k;
      Sampler sampler(o, n, 8);
      sampler.sample(logits);
      ASSERT_EQ(sampler.candidates().size(), static_cast<size_t>(k));
      for (int i = 0; i < k; ++i)
        ASSERT_EQ(sampler.candidates()[static_cast<size_t>(i)].id, order[static_cast<size_t>(i)])
            << k << " " << shape << " " << i;
    }
  }
}

TEST(Sampler, TopPOverManyTokens) {
  const int n = 20000;
  SamplerOptions o = plain();
  o.top_p = 0.5f;
  Sampler sampler(o, n, 8);
  std::vector<float> logits(n, 0.0f);
  sampler.sample(logits);
  EXPECT_NEAR(static_cast<double>(sampler.candidates().size()), n / 2, 1);
  EXPECT_EQ(sampler.candidates().front().id, 0);
  EXPECT_LE(sampler.candidates().back().id, n / 2);
}

TEST(Sampler, DrawsFollowTheDistribution) {
  const auto logits = logs({1, 2, 3, 4});
  Sampler sampler(plain(7), 4, 8);
  // 99.9th percentile of chi-square with 3 degrees of freedom is 16.3; the seed is fixed, so this
  // cannot flicker
  EXPECT_LT(chi_square(sampler, logits, {{0, 0.1}, {1, 0.2}, {2, 0.3}, {3, 0.4}}, 20000), 16.3);
}

TEST(Sampler, DrawsFollowTheDistributionAfterAllStages) {
  SamplerOptions o = plain(11);
  o.top_k = 4;
  o.top_p = 0.85f;
  o.temperature = 0.5f;
  o.logit_bias = {{1, std::log(2.0f)}};  // 40 40 10 10 after it: top-p keeps 40 40 10 of 100
  Sampler sampler(o, 6, 8);
  const double total = 1600 + 1600 + 100;
  EXPECT_LT(chi_square(sampler, logs({40, 20, 10, 10, 8, 6}),
                       {{0, 1600 / total}, {1, 1600 / total}, {2, 100 / total}}, 20000),
            13.8);
}

TEST(Sampler, ManyTokensOneByOne) {
  const int n = 1000;
  Sampler sampler(plain(2), n, 8);
  const std::vector<float> logits(n, 1.0f);
  std::map<int32_t, double> expected;
  for (int i = 0; i < n; ++i) expected[i] = 1.0 / n;
  EXPECT_LT(chi_square(sampler, logits, expected, 100000),
            1143);  // 99.9th percentile with 999 degrees of freedom
}

TEST(Sampler, SameSeedSameTokens) {
  const auto logits = logs({1, 2, 3, 4, 5, 6, 7, 8});
  const auto run = [&](uint64_t seed) {
    Sampler sampler(plain(seed), 8, 8);
    std::vector<int32_t> ids;
    for (int i = 0; i < 64; ++i) ids.push_back(sampler.sample(logits));
    return ids;
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
  EXPECT_NE(run(0), run(1));
  Sampler sampler(plain(5), 8, 8);
  sampler.sample(logits);
  sampler.reset();
  std::vector<int32_t> again;
  for (int i = 0; i < 64; ++i) again.push_back(sampler.sample(logits));
  EXPECT_EQ(again, run(5));
}

// All of a vocabulary in order, whichever way it is sorted: many, few, equal, negative and both
// zeros.
TEST(Sampler, TopPAgreesWithSorting) {
  for (const int n : {50, 4096, 4097, 30000}) {
    for (const float spread : {0.0f, 0.004f, 3.0f}) {
      std::vector<float> logits;
      for (int i = 0; i < n; ++i) {
        const auto hashed = static_cast<int>(static_cast<uint64_t>(i) * 2654435761u % 2000u);
        const float logit = spread * static_cast<float>(hashed - 1000) * 0.001f;
        logits.push_back(logit == 0 && i % 2 ? -0.0f : logit);
      }
      std::vector<int32_t> order(logits.size());
      std::iota(order.begin(), order.end(), 0);
      const auto at = [&](int32_t id) { return logits[static_cast<size_t>(id)]; };
      std::stable_sort(order.begin(), order.end(),
                       [&](int32_t a, int32_t b) { return at(a) > at(b); });
      double total = 0, sum = 0;
      for (const int32_t id : order) total += std::exp(at(id));
      SamplerOptions o = plain();
      o.top_p = 0.75f;
      Sampler sampler(o, n, 8);
      sampler.sample(logits);
      const auto kept = sampler.candidates();
      for (size_t i = 0; i < kept.size(); ++i) {
        ASSERT_EQ(kept[i].id, order[i]) << n << " " << spread << " " << i;
        sum += std::exp(at(order[i]));
      }
      EXPECT_NEAR(sum / total, 0.75, 1.5 / n + 1e-5) << n << " " << spread;
    }
  }
}

}  // namespace
}  // namespace plumb
