// How far the cpu backend is from exact on quantised experts and delta nets, over several models of
// each kind (one rounding may turn the choice of an expert, which no single model averages out): no
// further than llama.cpp, whose distances are data (tools/make_block_quality.py).

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "backend/cpu/cpu.h"
#include "backend/reference/reference.h"
#include "base/file.h"
#include "support/shape_engine.h"
#include "support/slow.h"
#include "support/tiny_cases.h"

namespace plumb {
namespace {

// Of the softmax of `got` from that of `exact`.
double divergence(std::span<const float> exact, std::span<const float> got) {
  const auto log_sum = [](std::span<const float> x) {
    const auto largest = static_cast<double>(*std::max_element(x.begin(), x.end()));
    double sum = 0;
    for (const float v : x) sum += std::exp(static_cast<double>(v) - largest);
    return largest + std::log(sum);
  };
  const double e = log_sum(exact), g = log_sum(got);
  double total = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    const double p = static_cast<double>(exact[i]) - e;
    total += std::exp(p) * (p - (static_cast<double>(got[i]) - g));
  }
  return total;
}

Format format_named(std::string_view name) {
  for (const FormatInfo& info : all_formats())
    if (info.name == name) return info.format;
  ADD_FAILURE() << name;
  return Format::f32;
}

// Means over the seeds of a shape and format: with experts a single choice may turn on a rounding.
TEST(BlockQuality, NoFurtherFromExactThanLlamaCpp) {
  if (test::kSlow) GTEST_SKIP() << "the release build runs it";
  const auto data = nlohmann::json::parse(
      read_file(std::filesystem::path(PLUMB_TEST_DATA) / "correctness/blocks_kld.json"));
  struct Sums {
    double ours = 0, theirs = 0;
    int n = 0;
  };
  std::map<std::string, Sums> sums;
  for (const auto& entry : data["models"]) {
    const test::ShapePlan tiny(test::model_shape(entry["shape"]),
                               {.matrices = format_named(entry["format"].get<std::string>())},
                               {.cache_k = Format::f32,
                                .cache_v = Format::f32,
                                .n_positions = 80,
                                .max_batch = 80,
                                .max_logits = 80},
                               entry["seed"]);
    const auto ids = test::tiny_case_ids(tiny.model.n_vocab);
    const auto exact = test::feed(*make_reference_backend()->compile(tiny.plan), ids);
    const auto got = test::feed(*make_cpu_backend(2, "")->compile(tiny.plan), ids);
    Sums& sum = sums[entry["shape"].get<std::string>() + " " + entry["format"].get<std::string>()];
    for (size_t i = 0; i < ids.size(); ++i)
      sum.ours += divergence(exact[i], got[i]) / static_cast<double>(ids.size());
    sum.theirs += entry["mean_kld"].get<double>();
    ++sum.n;
  }
  EXPECT_GE(sums.size(), 12u);
  for (const auto& [name, sum] : sums) {
    std::printf("%-24s mean KL divergence %.6f (llama.cpp %.6f)\n", name.c_str(), sum.ours / sum.n,
                sum.theirs / sum.n);
    EXPECT_LE(sum.ours, sum.theirs) << name;
  }
}

}  // namespace
}  // namespace plumb
