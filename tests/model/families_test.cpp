// Keys of families that no tiny model compared with llama.cpp has.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "model/reading.h"
#include "support/model_shapes.h"

namespace plumb {
namespace {

using test::error_of;
using test::ModelShape;
using test::open;
using ::testing::HasSubstr;

const Attention& attention(const ModelDesc& model, size_t layer) {
  return std::get<Attention>(model.layers[layer].mixer);
}

ModelShape small(const char* name) {
  ModelShape shape = test::model_shape(name);
  shape.n_embd = 64;
  return shape;
}

TEST(Families, WindowsOfGptOssMayHaveABaseOfTheirOwn) {
  ModelShape shape = small("tiny-gpt-oss");
  shape.numbers.emplace_back("rope.freq_base_swa", 10000.0f);
  const gguf::File file = open(test::random_model(shape));
  const ModelDesc model = load_model_desc(file);
  const Attention &slides = attention(model, 0), &sees_all = attention(model, 1);
  ASSERT_GT(slides.window, 0);
  ASSERT_EQ(sees_all.window, 0);
  EXPECT_EQ(slides.rope.base, 10000);
  EXPECT_EQ(sees_all.rope.base, 150000);
  EXPECT_NE(slides.rope.factors, sees_all.rope.factors) << "yarn's borders depend on the base";
  EXPECT_EQ(slides.rope.magnitude, sees_all.rope.magnitude);
}

TEST(Families, Phi3TakesYarnOrTwoSetsOfFactors) {
  const auto with_yarn = [](ModelShape shape) {
    shape.texts = {{"rope.scaling.type", "yarn"}};
    shape.numbers = {{"rope.scaling.factor", 4}};
    return test::random_model(shape);
  };
  const gguf::File file = open(with_yarn(test::model_shape("tiny-phi")));
  const Rope rope = attention(load_model_desc(file), 0).rope;
  EXPECT_FALSE(rope.factors.empty());
  EXPECT_GT(rope.factors.back(), 3.9f);
  EXPECT_THAT(error_of(with_yarn(test::model_shape("tiny-phi-longrope-32"))),
              HasSubstr("expected no yarn beside rope_factors_short.weight"));
}

// The models of 27B, which no key tells from the others.
TEST(Families, GemmaOfTheLargestSizeScalesByItsWidth) {
  for (const auto& [name, n_layers] : {std::pair{"tiny-gemma2", 46}, {"tiny-gemma3", 62}}) {
    ModelShape shape = small(name);
    const auto scale_of = [&](int64_t layers) {
      shape.n_layers = layers;
      const gguf::File file = open(test::random_model(shape));
      return attention(load_model_desc(file), 0).scale;
    };
    const auto head_dim = static_cast<float>(shape.head_dim);
    EXPECT_FLOAT_EQ(scale_of(n_layers), std::sqrt(static_cast<float>(shape.n_heads) / 64)) << name;
    EXPECT_FLOAT_EQ(scale_of(3), 1 / std::sqrt(head_dim)) << name;
  }
}

TEST(Families, LayersSlideByAPatternOfTheFile) {
  ModelShape shape = small("tiny-gemma3");
  shape.sizes = {{"attention.sliding_window_pattern", 3}};
  const gguf::File file = open(test::random_model(shape));
  const ModelDesc model = load_model_desc(file);
  for (size_t i = 0; i < model.layers.size(); ++i)
    EXPECT_EQ(attention(model, i).window > 0, i % 3 != 2) << i;
}

TEST(Families, EveryFourthLayerOfSmollm3HasNoRope) {
  const gguf::File file = open(test::random_model(small("tiny-smollm3")));
  const ModelDesc model = load_model_desc(file);
  for (size_t i = 0; i < model.layers.size(); ++i)
    EXPECT_EQ(attention(model, i).rope.n_dims, i == 3 ? 0 : 32) << i;
  EXPECT_THAT(to_text(model), HasSubstr("1 layer: attention: 4 query heads on 2 kv heads of 32, "
                                        "no rope"));
}

TEST(Families, ModelsThatDoNotGenerateTextAreRefused) {
  ModelShape shape = small("tiny-qwen3");
  shape.sizes = {{"pooling_type", 3}};
  EXPECT_THAT(error_of(test::random_model(shape)), HasSubstr("qwen3.pooling_type: expected 0"));
  shape.sizes = {{"pooling_type", 0}};
  EXPECT_EQ(error_of(test::random_model(shape)), "");
}

// Softmax of the chosen experts is all that routers do here; a file may say so, and nothing else.
TEST(Families, OtherRoutersAreRefused) {
  const ModelShape shape = small("tiny-qwen3moe");
  const auto with_size = [&](const char* key, int64_t value) {
    ModelShape other = shape;
    other.sizes.emplace_back(key, value);
    return error_of(test::random_model(other));
  };
  const auto with_scale = [&](float value) {
    ModelShape other = shape;
    other.numbers.emplace_back("expert_weights_scale", value);
    return error_of(test::random_model(other));
  };
  const auto with_norm = [&](bool value) {
    gguf::Writer writer = test::random_model(shape);
    writer.add("qwen3moe.expert_weights_norm", value);
    return error_of(writer);
  };
  EXPECT_THAT(with_size("expert_gating_func", 2),
              HasSubstr("qwen3moe.expert_gating_func: expected 1"));
  EXPECT_THAT(with_size("expert_group_count", 4), HasSubstr("expert_group_count: expected 1"));
  EXPECT_THAT(with_size("leading_dense_block_count", 1), HasSubstr("leading_dense_block_count"));
  EXPECT_THAT(with_scale(2.5f), HasSubstr("expert_weights_scale: expected 1"));
  EXPECT_THAT(with_norm(false), HasSubstr("expert_weights_norm"));
  EXPECT_EQ(with_size("expert_gating_func", 1) + with_scale(1) + with_norm(true), "");
}

TEST(Families, BlocksThatPredictFurtherTokensHaveTensorsOfTheirOwn) {
  ModelShape shape = small("tiny-qwen35");
  shape.sizes = {{"nextn_predict_layers", 1}};
  EXPECT_THAT(error_of(test::random_model(shape)),
              HasSubstr("qwen35.nextn_predict_layers: expected the number of blocks with nextn"));
}

TEST(Families, GptOssIsNeverWithoutItsBiasesAndHead) {
  ModelShape shape = small("tiny-gpt-oss");
  shape.tied = true;
  EXPECT_THAT(error_of(test::random_model(shape)), HasSubstr("tensor output.weight: expected"));
  shape.tied = shape.all_biases = false;
  EXPECT_THAT(error_of(test::random_model(shape)),
              HasSubstr("tensor blk.0.attn_output.bias: expected it in every gpt-oss model"));
}

TEST(Families, MagnitudesHoldForSlidingLayersToo) {
  ModelShape shape = small("tiny-gemma3");
  shape.numbers.emplace_back("rope.scaling.attn_factor", 2.0f);
  const gguf::File file = open(test::random_model(shape));
  const ModelDesc model = load_model_desc(file);
  const Rope &sliding = attention(model, 0).rope, &full = attention(model, 5).rope;
  ASSERT_EQ(attention(model, 5).window, 0);
  EXPECT_EQ(sliding.magnitude, 2);
  EXPECT_EQ(full.magnitude, 2);
  shape.sizes.emplace_back("rope.dimension_count_swa", 8);
  EXPECT_THAT(error_of(test::random_model(shape)), HasSubstr("gemma3.rope.dimension_count_swa"));
}

TEST(Families, Gemma4IsNeverWithoutItsPatternAndFactors) {
  const gguf::Writer whole = test::random_model(test::model_shape("tiny-gemma4"));
  for (const char* name : {"gemma4.attention.sliding_window_pattern", "rope_freqs.weight"})
    EXPECT_THAT(error_of(test::without(whole, name)), HasSubstr(name));
}

TEST(Families, RopeSectionsBeyondTextAreRefused) {
  const char* key = "qwen35.rope.dimension_sections";
  gguf::Writer writer = test::without(test::random_model(test::model_shape("tiny-qwen35")), key);
  EXPECT_EQ(error_of(writer), "");
  writer.add(key, std::span<const int32_t>(std::vector<int32_t>{4, 4, 4, 20}));
  EXPECT_THAT(error_of(writer), HasSubstr("the last one 0, got 4, 4, 4, 20"));
}

TEST(Families, StatesThatGrowAreRefused) {
  const gguf::File file = open(test::random_model(test::model_shape("tiny-qwen35")));
  const auto data = file.find_tensor("blk.0.ssm_a")->data;
  for (const auto& [value, text] : {std::pair(0.5f, "got 0.5"), std::pair(-INFINITY, "got -inf")}) {
    reinterpret_cast<float*>(const_cast<uint8_t*>(data.data()))[1] = value;
    try {
      load_model_desc(file);
      FAIL() << "nothing was thrown";
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr("tensor blk.0.ssm_a: expected finite numbers of at most 0"));
      EXPECT_THAT(e.what(), HasSubstr(text));
    }
  }
}

TEST(Families, Gemma2SlidesByABaseOfItsOwnAndCapsWithoutBeingTold) {
  ModelShape shape = small("tiny-gemma2");
  std::erase_if(shape.numbers, [](const auto& n) { return n.first.ends_with("softcapping"); });
  shape.numbers.emplace_back("rope.freq_base_swa", 777.0f);
  const gguf::File file = open(test::random_model(shape));
  const ModelDesc model = load_model_desc(file);
  EXPECT_EQ(attention(model, 0).rope.base, 777);
  EXPECT_EQ(attention(model, 1).rope.base, shape.rope_base);
  EXPECT_EQ(attention(model, 0).logit_cap, 50);
  EXPECT_EQ(model.logit_cap, 30);
  shape.sizes.emplace_back("attention.key_length_swa", 16);
  EXPECT_THAT(error_of(test::random_model(shape)), HasSubstr("gemma2.attention.key_length_swa"));
}

TEST(Families, CapsFarFromAnyModelAreRefused) {
  for (const char* key : {"final_logit_softcapping", "attn_logit_softcapping"})
    for (const float cap : {1e6f, 1e-6f}) {
      ModelShape shape = small("tiny-gemma2");
      std::erase_if(shape.numbers, [&](const auto& number) { return number.first == key; });
      shape.numbers.emplace_back(key, cap);
      EXPECT_THAT(error_of(test::random_model(shape)), HasSubstr(key));
    }
}

TEST(Families, NumbersFarFromAnyModelAreRefused) {
  const auto error_with = [](const char* name, auto change) {
    ModelShape shape = small(name);
    change(shape);
    return error_of(test::random_model(shape));
  };
  EXPECT_THAT(error_with("tiny-qwen3", [](ModelShape& s) { s.eps = 2; }),
              HasSubstr("qwen3.attention.layer_norm_rms_epsilon: expected a number of 1e-12..1, "
                        "got 2"));
  EXPECT_THAT(error_with("tiny-qwen3", [](ModelShape& s) { s.rope_base = 1e20f; }),
              HasSubstr("qwen3.rope.freq_base"));
  for (const char* key : {"rope.scaling.factor", "rope.scaling.attn_factor"})
    EXPECT_THAT(error_with("tiny-qwen3",
                           [&](ModelShape& s) {
                             s.numbers = {{key, 1e20f}};
                           }),
                HasSubstr(key));
  EXPECT_THAT(error_with("tiny-gemma2",
                         [](ModelShape& s) {
                           s.window = 0;
                           s.sizes.emplace_back("attention.sliding_window", 0);
                         }),
              HasSubstr("gemma2.attention.sliding_window"));
}

TEST(Families, YarnOnlyStretches) {
  ModelShape shape = test::model_shape("tiny-qwen3-yarn");
  shape.numbers = {{"rope.scaling.factor", 0.5f}};
  EXPECT_THAT(error_of(test::random_model(shape)), HasSubstr("qwen3.rope.scaling.factor"));
}

TEST(Families, HowRopesReachFurtherIsSaid) {
  const auto text_of = [](const char* name) {
    const gguf::File file = open(test::random_model(test::model_shape(name)));
    return to_text(load_model_desc(file));
  };
  EXPECT_THAT(text_of("tiny-gpt-oss"), HasSubstr(" yarn "));
  EXPECT_THAT(text_of("tiny-phi-longrope-32"), HasSubstr(" longrope beyond "));
  EXPECT_THAT(text_of("tiny-gemma4"), HasSubstr(" with factors of the file"));
  EXPECT_THAT(text_of("tiny-qwen3"), Not(HasSubstr("times")));
}

}  // namespace
}  // namespace plumb
