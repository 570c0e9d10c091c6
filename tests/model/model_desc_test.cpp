// Reading llama files into a ModelDesc: what is read, and what is refused and how.

#include "model/model_desc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/reading.h"
#include "support/tiny_model.h"

namespace plumb {
namespace {

using test::error_of;
using test::open;
using test::TinyOptions;
using ::testing::HasSubstr;

// A tiny llama with one of its keys replaced.
struct Replaced {
  template <typename T>
  static gguf::Writer with(std::string_view key, T value) {
    gguf::Writer writer = test::without(test::tiny_llama(), key);
    writer.add(key, value);
    return writer;
  }
};

TEST(ModelDesc, ReadsATinyLlama) {
  const gguf::File file = open(test::tiny_llama({.rope_freqs = true, .biases = true}));
  const ModelDesc d = load_model_desc(file);
  EXPECT_EQ(d.architecture, "llama");
  EXPECT_EQ(d.n_embd, 64);
  EXPECT_EQ(d.n_context, 256);
  ASSERT_EQ(d.layers.size(), 2u);
  const auto& a = std::get<Attention>(d.layers[1].mixer);
  EXPECT_EQ(a.n_heads, 4);
  EXPECT_EQ(a.n_kv_heads, 2);
  EXPECT_EQ(a.head_dim, 16);
  EXPECT_FLOAT_EQ(a.scale, 0.25f);
  EXPECT_EQ(a.rope.layout, RopeLayout::interleaved);
  EXPECT_EQ(a.rope.n_dims, 16);
  EXPECT_EQ(a.rope.factors.size(), 8u);
  EXPECT_EQ(a.k.rows, 32);
  EXPECT_EQ(a.q_bias.columns, 64);
  EXPECT_EQ(std::get<DenseFfn>(d.layers[0].ffn).gate.rows, 128);
  EXPECT_TRUE(d.tied_head);
  EXPECT_EQ(d.head.data.data(), d.embedding.data.data());
  EXPECT_THAT(to_text(d), HasSubstr("2 layers: attention: 4 query heads on 2 kv heads of 16"));
}

TEST(ModelDesc, UntiedHeadAndOwnHeadSize) {
  const gguf::File file = open(test::tiny_llama({.head_dim = 32, .tied = false}));
  const ModelDesc d = load_model_desc(file);
  EXPECT_FALSE(d.tied_head);
  EXPECT_EQ(d.head.name, "output.weight");
  EXPECT_EQ(std::get<Attention>(d.layers[0].mixer).q.rows, 4 * 32);
}

TEST(ModelDesc, EveryTensorOfTheFileIsListedOnce) {
  for (const bool tied : {true, false}) {
    const gguf::File file = open(test::tiny_llama({.tied = tied, .biases = true}));
    EXPECT_EQ(tensors_of(load_model_desc(file)).size(), static_cast<size_t>(file.n_tensors()));
  }
}

TEST(ModelDesc, UnknownArchitectureNamesTheKnownOnes) {
  EXPECT_THAT(error_of(Replaced::with("general.architecture", "grue")),
              AllOf(HasSubstr("tiny.gguf"), HasSubstr("general.architecture"), HasSubstr("llama"),
                    HasSubstr("grue")));
}

TEST(ModelDesc, ShapesMustFitTheHyperParameters) {
  EXPECT_THAT(
      error_of(Replaced::with("llama.feed_forward_length", uint32_t{96})),
      AllOf(HasSubstr("blk.0.ffn_gate.weight"), HasSubstr("[64, 96]"), HasSubstr("[64, 128]")));
  EXPECT_THAT(error_of(Replaced::with("llama.block_count", uint32_t{3})),
              HasSubstr("blk.2.attn_norm.weight"));
  EXPECT_THAT(error_of(Replaced::with("llama.block_count", uint32_t{1})),
              HasSubstr("no part of it uses"));
  EXPECT_THAT(error_of(Replaced::with("llama.embedding_length", uint32_t{32})),
              HasSubstr("token_embd.weight"));
}

TEST(ModelDesc, HyperParametersOutOfRange) {
  for (const char* key :
       {"llama.block_count", "llama.embedding_length", "llama.attention.head_count",
        "llama.context_length", "llama.attention.head_count_kv", "llama.feed_forward_length"})
    for (const uint32_t value : {0u, 0x80000000u, 0xFFFFFFFFu})
      EXPECT_THAT(error_of(Replaced::with(key, value)), HasSubstr(key)) << key << value;
  EXPECT_THAT(error_of(Replaced::with("llama.attention.head_count_kv", uint32_t{3})),
              HasSubstr("head_count_kv"));
  EXPECT_THAT(error_of(Replaced::with("llama.attention.layer_norm_rms_epsilon", 0.0f)),
              HasSubstr("rms_epsilon"));
  EXPECT_THAT(error_of(Replaced::with("llama.rope.dimension_count", uint32_t{15})),
              HasSubstr("even"));
  EXPECT_THAT(error_of(Replaced::with("llama.rope.freq_base", -1.0f)), HasSubstr("freq_base"));
  EXPECT_THAT(error_of(Replaced::with("llama.rope.scaling.type", "dynamic")),
              AllOf(HasSubstr("rope.scaling.type"), HasSubstr("dynamic")));
  EXPECT_THAT(error_of(Replaced::with("llama.rope.scaling.factor", -2.0f)),
              HasSubstr("rope.scaling.factor"));
  EXPECT_THAT(error_of(Replaced::with("llama.attention.causal", false)),
              AllOf(HasSubstr("attention.causal"), HasSubstr("got false")));
  EXPECT_THAT(error_of(Replaced::with("llama.expert_count", uint32_t{8})),
              HasSubstr("expert_used_count"));
  EXPECT_THAT(error_of(Replaced::with("llama.vocab_size", uint32_t{8})), HasSubstr("vocab_size"));
}

Rope rope_with(std::string_view key, auto value) {
  const gguf::File file = open(Replaced::with(key, value));
  return std::get<Attention>(load_model_desc(file).layers[0].mixer).rope;
}

// A factor is linear without saying so, and once had another name.
TEST(ModelDesc, RopeScaling) {
  EXPECT_EQ(rope_with("llama.rope.scaling.factor", 4.0f).frequency_scale, 0.25f);
  EXPECT_EQ(rope_with("llama.rope.scale_linear", 4.0f).frequency_scale, 0.25f);
  EXPECT_EQ(rope_with("llama.rope.scaling.factor", 0.0f).frequency_scale, 1);
  EXPECT_EQ(rope_with("llama.rope.scaling.type", "linear").frequency_scale, 1);
  EXPECT_EQ(rope_with("llama.rope.scaling.attn_factor", 1.5f).magnitude, 1.5f);
  EXPECT_EQ(rope_with("llama.rope.scaling.type", "none").magnitude, 1);
  gguf::Writer none = Replaced::with("llama.rope.scaling.factor", 4.0f);
  none.add("llama.rope.scaling.type", "none");
  const gguf::File file = open(none);
  EXPECT_EQ(std::get<Attention>(load_model_desc(file).layers[0].mixer).rope.frequency_scale, 1);
}

// The numbers of models.md 5.7: pairs below 8 keep their angle, those from 18 on turn 32 times
// slower.
TEST(ModelDesc, YarnRope) {
  gguf::Writer writer = test::tiny_llama({.head_dim = 64, .rope_base = 150000});
  writer.add("llama.rope.scaling.type", "yarn");
  writer.add("llama.rope.scaling.factor", 32.0f);
  writer.add("llama.rope.scaling.original_context_length", uint32_t{4096});
  const gguf::File file = open(writer);
  const Rope rope = std::get<Attention>(load_model_desc(file).layers[0].mixer).rope;
  EXPECT_NEAR(rope.magnitude, 1.3465736, 1e-6);
  ASSERT_EQ(rope.factors.size(), 32u);
  EXPECT_EQ(rope.factors[8], 1);
  EXPECT_NEAR(rope.factors[13], 1 / (0.5 + 0.5 / 32), 1e-6);
  EXPECT_EQ(rope.factors[18], 32);
  EXPECT_EQ(rope.frequency_scale, 1);
}

TEST(ModelDesc, FormatsKnownOnlyBySizeAreRefusedByName) {
  gguf::Writer writer = test::tiny_llama();
  const std::vector<uint8_t> data(static_cast<size_t>(format_bytes(Format::iq1_s, 256)));
  writer.add_tensor("blk.0.attn_q.bias", Format::iq1_s, {256}, data);
  EXPECT_THAT(error_of(writer), HasSubstr("blk.0.attn_q.bias"));
}

TEST(ModelDesc, VocabularyOnlyFilesHaveNoModel) {
  gguf::Writer writer;
  writer.add("general.architecture", "llama");
  EXPECT_THAT(error_of(writer), HasSubstr("vocabulary-only"));
}

}  // namespace
}  // namespace plumb
