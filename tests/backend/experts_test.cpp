// Mixtures of experts in the reference backend: the choice, the activations, and fused files.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "backend/reference/math.h"
#include "backend/reference/reference.h"
#include "support/model_shapes.h"
#include "support/tiny_engine.h"

namespace plumb {
namespace {

gguf::File open(const gguf::Writer& writer) {
  const std::string bytes = writer.bytes();
  return gguf::File::from_bytes("tiny.gguf",
                                {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

std::vector<std::vector<float>> logits_of(const gguf::File& file) {
  const ModelDesc model = load_model_desc(file);
  const Plan plan = compile(model, {.n_positions = 64, .max_batch = 40, .max_logits = 40});
  return test::feed(*make_reference_backend()->compile(plan), test::some_ids(40, model.n_vocab));
}

// The same model with gate and up of each expert in one tensor.
gguf::Writer fused(const gguf::File& file) {
  gguf::Writer writer;
  const gguf::Metadata& m = file.metadata();
  for (int64_t i = 0; i < m.size(); ++i) writer.copy(m, m.key(i));
  for (int64_t i = 0; i < file.n_tensors(); ++i) {
    const gguf::TensorView t = file.tensor(i);
    std::string name(t.name);
    if (name.find("ffn_up_exps") != std::string::npos) continue;
    std::vector<int64_t> ne(t.ne.begin(), t.ne.begin() + t.n_dims);
    const size_t at = name.find("gate_exps");
    if (at == std::string::npos) {
      writer.add_tensor(name, t.format, ne, t.data);
      continue;
    }
    const auto up = file.find_tensor(std::string(name).replace(at, 9, "up_exps"));
    const size_t half = t.data.size() / static_cast<size_t>(ne[2]);
    std::vector<uint8_t> both;
    for (size_t e = 0; e < t.data.size(); e += half)
      for (const auto& data : {t.data, up->data})
        both.insert(both.end(), data.begin() + static_cast<int64_t>(e),
                    data.begin() + static_cast<int64_t>(e + half));
    ne[1] *= 2;
    writer.add_tensor(name.replace(at, 9, "gate_up_exps"), t.format, ne,
                      std::span<const uint8_t>(both));
  }
  return writer;
}

TEST(Experts, FusedGateAndUpGiveTheSameLogits) {
  const gguf::File apart = open(test::random_model(test::model_shape("tiny-qwen3moe")));
  EXPECT_EQ(logits_of(apart), logits_of(open(fused(apart))));
}

TEST(Experts, TheLargestLogitsAreChosenAndTheLowerNumberOnTies) {
  const std::vector<float> logits{1, 3, -2, 3, 0};
  const auto choice = reference::choose_experts(RouterRule::softmax_top, logits, 3);
  EXPECT_EQ(choice.experts, std::vector<int32_t>({1, 3, 0}));
  const double sum = 2 + std::exp(-2.0);
  EXPECT_NEAR(choice.weights[0], 1 / sum, 1e-12);
  EXPECT_NEAR(choice.weights[2], std::exp(-2.0) / sum, 1e-12);
}

TEST(Experts, WeightsOfExpertsThatHardlyCountAreNotBlownUp) {
  // 4096 experts alike: one has the probability 2^-12, above the floor; of 32768 it would be below.
  const std::vector<float> alike(size_t{1} << 15, 0.5f);
  const auto floor = reference::choose_experts(RouterRule::softmax_top, alike, 1);
  EXPECT_NEAR(floor.weights[0], 0.5, 1e-12);
  const auto top = reference::choose_experts(RouterRule::top_softmax, alike, 1);
  EXPECT_NEAR(top.weights[0], 1, 1e-12);
}

TEST(Experts, LogitsThatAreNoNumbersStillChooseExperts) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto choice =
      reference::choose_experts(RouterRule::softmax_top, std::vector<float>{nan, 1, nan, nan}, 3);
  EXPECT_EQ(choice.experts, std::vector<int32_t>({1, 0, 2}));
}

TEST(Experts, Activations) {
  using reference::gated;
  EXPECT_NEAR(gated(Activation::silu, 2, 3), 6 / (1 + std::exp(-2.0)), 1e-5);
  EXPECT_NEAR(gated(Activation::gelu, 1, 1), 0.841192, 1e-6);
  EXPECT_NEAR(gated(Activation::gelu, -1, 2), -0.317616, 1e-6);
  // g and u within the limits, above them, below them: only u is limited from below
  EXPECT_NEAR(gated(Activation::clamped_swiglu, 1, 2), 3 / (1 + std::exp(-1.702)), 1e-6);
  EXPECT_NEAR(gated(Activation::clamped_swiglu, 9, 9), 7.0 / (1 + std::exp(-1.702 * 7)) * 8, 1e-4);
  EXPECT_NEAR(gated(Activation::clamped_swiglu, -9, -9), -9 / (1 + std::exp(1.702 * 9)) * -6, 1e-6);
}

}  // namespace
}  // namespace plumb
