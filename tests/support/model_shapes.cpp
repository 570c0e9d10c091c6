#include "support/model_shapes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <regex>

#include "base/error.h"
#include "support/random_blocks.h"
#include "support/tiny_model.h"

namespace plumb::test {
namespace {

class Builder {
 public:
  Builder(const ModelShape& shape, const WeightTypes& types, uint64_t seed, bool holes)
      : s_(shape), types_(types), random_(seed), holes_(holes) {
    for (const auto& [pattern, format] : types.rules) rules_.emplace_back(pattern, format);
  }

  gguf::Writer build() {
    add_keys();
    n_vocab_ = add_vocabulary();
    matrix("token_embd.weight", {s_.n_embd, n_vocab_}, s_.embedding_gain);
    for (int64_t i = 0; i < s_.n_layers + s_.n_mtp; ++i) add_layer(i);
    norm("output_norm.weight", s_.n_embd);
    if (!s_.tied) matrix("output.weight", {s_.n_embd, n_vocab_}, 2);
    if (s_.short_context) add_longrope();
    if (is_gemma4()) add_gemma4_globals();
    return std::move(writer_);
  }

 private:
  bool has_delta_nets() const { return s_.k_heads > 0; }
  bool is_gemma4() const { return s_.sliding_head_dim > 0; }
  bool slides(int64_t layer) const { return (layer + 1) % s_.interval != 0; }
  bool shares_cache(int64_t layer) const { return layer >= s_.n_layers - s_.shared_kv_layers; }
  // Layers without a cache of their own have twice the FFN.
  int64_t ff_of(int64_t layer) const {
    return s_.shared_kv_layers > 0 && shares_cache(layer) ? 2 * s_.n_ff : s_.n_ff;
  }
  bool is_recurrent(int64_t layer) const {
    return has_delta_nets() && layer < s_.n_layers && (layer + 1) % s_.interval != 0;
  }

  void size(std::string_view key, int64_t value) {
    writer_.add(fmt::format("{}.{}", s_.architecture, key), static_cast<uint32_t>(value));
  }
  void number(std::string_view key, float value) {
    writer_.add(fmt::format("{}.{}", s_.architecture, key), value);
  }

  void add_keys() {
    writer_.add("general.architecture", s_.architecture);
    writer_.add("general.name", s_.name + " (random)");
    size("block_count", s_.n_layers + s_.n_mtp);
    size("context_length", s_.n_context);
    size("embedding_length", s_.n_embd);
    size("attention.head_count", s_.n_heads);
    if (!is_gemma4()) size("attention.head_count_kv", s_.n_kv_heads);
    size("attention.key_length", s_.head_dim);
    size("attention.value_length", s_.head_dim);
    size("rope.dimension_count", s_.rope_dims ? s_.rope_dims : s_.head_dim);
    number("attention.layer_norm_rms_epsilon", s_.eps);
    number("rope.freq_base", s_.rope_base);
    if (s_.n_ff && !is_gemma4()) size("feed_forward_length", s_.n_ff);
    if (s_.n_experts) add_expert_keys();
    if (has_delta_nets()) add_delta_net_keys();
    if (s_.n_mtp) size("nextn_predict_layers", s_.n_mtp);
    if (s_.window) size("attention.sliding_window", s_.window);
    if (is_gemma4()) add_gemma4_keys();
    for (const auto& [key, value] : s_.numbers) number(key, value);
    for (const auto& [key, value] : s_.sizes) size(key, value);
    for (const auto& [key, value] : s_.texts)
      writer_.add(fmt::format("{}.{}", s_.architecture, key), value);
  }

  // Factors that grow from 1 over the pairs, those of long sequences faster.
  void add_longrope() {
    const int64_t n = (s_.rope_dims ? s_.rope_dims : s_.head_dim) / 2;
    const double original = std::log(static_cast<double>(s_.short_context)),
                 longest = std::log(static_cast<double>(s_.n_context));
    size("rope.scaling.original_context_length", s_.short_context);
    number("rope.scaling.attn_factor", static_cast<float>(std::sqrt(longest / original)));
    for (const auto& [name, most] : {std::pair{"long", 64.0f}, {"short", 2.0f}}) {
      std::vector<float> factors;
      for (int64_t i = 0; i < n; ++i)
        factors.push_back(1 + most * static_cast<float>(i) / static_cast<float>(n - 1));
      values(fmt::format("rope_factors_{}.weight", name), {n}, factors);
    }
  }

  void add_expert_keys() {
    size("expert_count", s_.n_experts);
    size("expert_used_count", s_.n_used);
    if (s_.architecture != "llama") size("expert_feed_forward_length", s_.expert_ff);
    if (s_.shared_ff) size("expert_shared_feed_forward_length", s_.shared_ff);
  }

  void add_delta_net_keys() {
    writer_.add(s_.architecture + ".rope.dimension_sections",
                std::span<const int32_t>(std::vector<int32_t>{11, 11, 10, 0}));
    size("ssm.conv_kernel", 4);
    size("ssm.state_size", s_.state_dim);
    size("ssm.group_count", s_.k_heads);
    size("ssm.time_step_rank", s_.v_heads);
    size("ssm.inner_size", s_.v_heads * s_.state_dim);
    size("full_attention_interval", s_.interval);
    if (!s_.names_recurrent_layers) return;
    std::vector<bool> recurrent;
    for (int64_t i = 0; i < s_.n_layers + s_.n_mtp; ++i) recurrent.push_back(is_recurrent(i));
    writer_.add(s_.architecture + ".attention.recurrent_layers", recurrent);
  }

  int64_t add_vocabulary() {
    if (s_.tokenizer) return s_.tokenizer(writer_);
    TinyOptions options{.pre = s_.pre, .chat_template = true};
    gguf::Writer counter;
    const int64_t least = add_tiny_vocab(counter, options);
    options.n_padding = std::max<int64_t>(0, s_.n_vocab - least);
    return add_tiny_vocab(writer_, options);
  }

  Format format_of(const std::string& name, int64_t columns, Format usual) const {
    Format format = usual;
    for (const auto& [pattern, wanted] : rules_)
      if (std::regex_search(name, pattern)) format = wanted;
    if (columns % format_info(format).block_elems == 0) return format;
    return columns % 32 == 0 ? Format::q8_0 : Format::f32;
  }

  // Deviation gain / sqrt(columns) keeps activations near 1 however wide the model is.
  void matrix(const std::string& name, std::vector<int64_t> ne, float gain = 1) {
    add(name, std::move(ne), gain, types_.matrices);
  }
  void router(const std::string& name, std::vector<int64_t> ne) {
    add(name, std::move(ne), 2, Format::f32);
  }
  void add(const std::string& name, std::vector<int64_t> ne, float gain, Format usual) {
    const Format format = format_of(name, ne[0], usual);
    if (holes_) return writer_.add_hole(name, format, std::move(ne));
    int64_t n = 1;
    for (const int64_t dim : ne) n *= dim;
    const float deviation = gain / std::sqrt(static_cast<float>(ne[0]));
    const auto data = random_blocks(format, n, random_, deviation);
    writer_.add_tensor(name, format, std::move(ne), std::span<const uint8_t>(data));
  }

  void values(const std::string& name, std::vector<int64_t> ne, const std::vector<float>& all) {
    writer_.add_tensor(name, Format::f32, std::move(ne), std::span<const float>(all));
  }
  void norm(const std::string& name, int64_t n) { values(name, {n}, random_.normals(n, 1, 0.1f)); }
  void bias(const std::string& name, int64_t n) { values(name, {n}, random_.normals(n, 0, 0.2f)); }

  void add_layer(int64_t i) {
    const std::string prefix = fmt::format("blk.{}.", i);
    if (is_gemma4()) return add_gemma4_layer(i, prefix);
    norm(prefix + "attn_norm.weight", s_.n_embd);
    if (is_recurrent(i))
      add_delta_net(prefix);
    else
      add_attention(prefix);
    norm(prefix + (has_delta_nets() ? "post_attention_norm" : s_.ffn_norm) + ".weight", s_.n_embd);
    if (s_.post_norms) {
      norm(prefix + "post_attention_norm.weight", s_.n_embd);
      norm(prefix + "post_ffw_norm.weight", s_.n_embd);
    }
    if (s_.n_experts)
      add_experts(prefix);
    else
      add_dense(prefix, "", s_.n_ff);
    if (i >= s_.n_layers) add_prediction(prefix);
  }

  void add_attention(const std::string& prefix) {
    const int64_t q = s_.n_heads * s_.head_dim * (has_delta_nets() ? 2 : 1);
    const int64_t kv = s_.n_kv_heads * s_.head_dim;
    if (s_.fused_qkv) {
      matrix(prefix + "attn_qkv.weight", {s_.n_embd, q + 2 * kv});
      if (s_.qkv_biases) bias(prefix + "attn_qkv.bias", q + 2 * kv);
    } else {
      matrix(prefix + "attn_q.weight", {s_.n_embd, q}, s_.qk_gain);
      matrix(prefix + "attn_k.weight", {s_.n_embd, kv}, s_.qk_gain);
      matrix(prefix + "attn_v.weight", {s_.n_embd, kv});
      if (s_.qkv_biases) {
        bias(prefix + "attn_q.bias", q);
        bias(prefix + "attn_k.bias", kv);
        bias(prefix + "attn_v.bias", kv);
      }
    }
    if (s_.head_norms) {
      norm(prefix + "attn_q_norm.weight", s_.head_dim);
      norm(prefix + "attn_k_norm.weight", s_.head_dim);
    }
    matrix(prefix + "attn_output.weight", {s_.n_heads * s_.head_dim, s_.n_embd});
    if (s_.all_biases) bias(prefix + "attn_output.bias", s_.n_embd);
    if (s_.sinks) values(prefix + "attn_sinks.weight", {s_.n_heads}, random_.normals(s_.n_heads));
  }

  void add_gemma4_keys() {
    std::vector<int32_t> kv_heads, widths;
    std::vector<bool> sliding;
    for (int64_t i = 0; i < s_.n_layers; ++i) {
      kv_heads.push_back(static_cast<int32_t>(slides(i) ? s_.sliding_kv_heads : s_.n_kv_heads));
      widths.push_back(static_cast<int32_t>(ff_of(i)));
      sliding.push_back(slides(i));
    }
    writer_.add("gemma4.attention.head_count_kv", std::span<const int32_t>(kv_heads));
    writer_.add("gemma4.feed_forward_length", std::span<const int32_t>(widths));
    writer_.add("gemma4.attention.sliding_window_pattern", sliding);
    size("attention.key_length_swa", s_.sliding_head_dim);
    size("attention.value_length_swa", s_.sliding_head_dim);
    size("rope.dimension_count_swa", s_.sliding_head_dim);
    number("rope.freq_base_swa", 10000);
    number("final_logit_softcapping", 30);
    size("attention.shared_kv_layers", s_.shared_kv_layers);
    size("embedding_length_per_layer_input", s_.per_layer_width);
  }

  // A quarter of the pairs turns, the others have all but stopped.
  void add_gemma4_globals() {
    std::vector<float> factors(static_cast<size_t>(s_.head_dim / 2), 1e30f);
    std::fill_n(factors.begin(), s_.head_dim / 8, 1.0f);
    values("rope_freqs.weight", {s_.head_dim / 2}, factors);
    if (s_.per_layer_width == 0) return;
    const int64_t all = s_.per_layer_width * s_.n_layers;
    matrix("per_layer_token_embd.weight", {all, n_vocab_});
    matrix("per_layer_model_proj.weight", {s_.n_embd, all});
    norm("per_layer_proj_norm.weight", s_.per_layer_width);
  }

  // Scores are not scaled: norms of queries and keys are as much smaller.
  void add_gemma4_layer(int64_t i, const std::string& prefix) {
    const int64_t dim = slides(i) ? s_.sliding_head_dim : s_.head_dim,
                  kv = (slides(i) ? s_.sliding_kv_heads : s_.n_kv_heads) * dim;
    const auto head_norm = [&](const std::string& name) {
      values(prefix + name, {dim},
             random_.normals(dim, std::pow(static_cast<float>(dim), -0.25f), 0.02f));
    };
    for (const char* name : {"attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"})
      norm(prefix + name + ".weight", s_.n_embd);
    matrix(prefix + "attn_q.weight", {s_.n_embd, s_.n_heads * dim});
    head_norm("attn_q_norm.weight");
    if (!shares_cache(i)) {
      matrix(prefix + "attn_k.weight", {s_.n_embd, kv});
      if (slides(i) || s_.per_layer_width) matrix(prefix + "attn_v.weight", {s_.n_embd, kv});
      head_norm("attn_k_norm.weight");
    }
    matrix(prefix + "attn_output.weight", {s_.n_heads * dim, s_.n_embd});
    add_dense(prefix, "", ff_of(i));
    values(prefix + "layer_output_scale.weight", {1},
           {0.9f + 0.1f * static_cast<float>(random_.uniform())});
    if (s_.n_experts) add_gemma4_experts(prefix);
    if (s_.per_layer_width == 0) return;
    matrix(prefix + "inp_gate.weight", {s_.n_embd, s_.per_layer_width});
    matrix(prefix + "proj.weight", {s_.per_layer_width, s_.n_embd});
    norm(prefix + "post_norm.weight", s_.n_embd);
  }

  void add_gemma4_experts(const std::string& prefix) {
    add_experts(prefix);
    const float width = std::sqrt(static_cast<float>(s_.n_embd));
    values(prefix + "ffn_gate_inp.scale", {s_.n_embd}, random_.normals(s_.n_embd, width, 1));
    for (const char* name : {"pre_ffw_norm_2", "post_ffw_norm_1", "post_ffw_norm_2"})
      norm(prefix + name + ".weight", s_.n_embd);
    norm(prefix + "ffn_down_exps.scale", s_.n_experts);
  }

  void add_delta_net(const std::string& prefix) {
    const int64_t keys = s_.k_heads * s_.state_dim, inner = s_.v_heads * s_.state_dim;
    const int64_t channels = 2 * keys + inner;
    matrix(prefix + "attn_qkv.weight", {s_.n_embd, channels});
    matrix(prefix + "attn_gate.weight", {s_.n_embd, inner});
    matrix(prefix + "ssm_alpha.weight", {s_.n_embd, s_.v_heads});
    matrix(prefix + "ssm_beta.weight", {s_.n_embd, s_.v_heads});
    values(prefix + "ssm_conv1d.weight", {4, channels}, random_.normals(4 * channels, 0, 0.5f));
    std::vector<float> dt, a;
    for (int64_t h = 0; h < s_.v_heads; ++h) {  // steps of 0.001 to 0.1, decays of 1 to 16 each
      const double step = std::exp(std::log(1e-3) + random_.uniform() * std::log(1e2));
      dt.push_back(static_cast<float>(step + std::log(-std::expm1(-step))));
      a.push_back(static_cast<float>(-1 - 15 * random_.uniform()));
    }
    values(prefix + "ssm_dt.bias", {s_.v_heads}, dt);
    values(prefix + "ssm_a", {s_.v_heads}, a);
    norm(prefix + "ssm_norm.weight", s_.state_dim);
    matrix(prefix + "ssm_out.weight", {inner, s_.n_embd});
  }

  void add_dense(const std::string& prefix, const std::string& suffix, int64_t width) {
    if (s_.fused_gate_up && !s_.n_experts) {
      matrix(prefix + "ffn_up.weight", {s_.n_embd, 2 * width});
    } else {
      matrix(prefix + "ffn_gate" + suffix + ".weight", {s_.n_embd, width});
      matrix(prefix + "ffn_up" + suffix + ".weight", {s_.n_embd, width});
    }
    matrix(prefix + "ffn_down" + suffix + ".weight", {width, s_.n_embd});
  }

  void add_experts(const std::string& prefix) {
    const int64_t n = s_.n_experts, width = s_.expert_ff;
    router(prefix + "ffn_gate_inp.weight", {s_.n_embd, n});
    if (s_.fused_gate_up) {
      matrix(prefix + "ffn_gate_up_exps.weight", {s_.n_embd, 2 * width, n});
    } else {
      matrix(prefix + "ffn_gate_exps.weight", {s_.n_embd, width, n}, s_.expert_gain);
      matrix(prefix + "ffn_up_exps.weight", {s_.n_embd, width, n}, s_.expert_gain);
    }
    matrix(prefix + "ffn_down_exps.weight", {width, s_.n_embd, n}, 1 / s_.expert_gain);
    if (s_.all_biases || s_.expert_biases) {
      bias(prefix + "ffn_gate_inp.bias", n);
      for (const auto& [name, rows] :
           {std::pair{"gate", width}, {"up", width}, {"down", s_.n_embd}})
        values(fmt::format("{}ffn_{}_exps.bias", prefix, name), {rows, n},
               random_.normals(rows * n, 0, 0.2f));
    }
    if (s_.shared_ff == 0) return;
    const float deviation = 1 / std::sqrt(static_cast<float>(s_.n_embd));
    values(prefix + "ffn_gate_inp_shexp.weight", {s_.n_embd},
           random_.normals(s_.n_embd, 0, deviation));
    add_dense(prefix, "_shexp", s_.shared_ff);
  }

  void add_prediction(const std::string& prefix) {
    matrix(prefix + "nextn.eh_proj.weight", {2 * s_.n_embd, s_.n_embd});
    norm(prefix + "nextn.enorm.weight", s_.n_embd);
    norm(prefix + "nextn.hnorm.weight", s_.n_embd);
    norm(prefix + "nextn.shared_head_norm.weight", s_.n_embd);
  }

  const ModelShape& s_;
  const WeightTypes& types_;
  Random random_;
  bool holes_;
  std::vector<std::pair<std::regex, Format>> rules_;
  gguf::Writer writer_;
  int64_t n_vocab_ = 0;
};

ModelShape qwen35(ModelShape s) {
  s.architecture = s.n_experts ? "qwen35moe" : "qwen35";
  s.pre = "qwen35";
  s.rope_base = 1e7f;
  s.rope_dims = 64;
  s.head_dim = 256;
  return s;
}

ModelShape with_yarn(ModelShape s) {
  s.texts = {{"rope.scaling.type", "yarn"}};
  s.numbers = {{"rope.scaling.factor", 4}};
  s.sizes = {{"rope.scaling.original_context_length", 1024}};
  return s;
}

ModelShape phi3(ModelShape s) {
  s.architecture = "phi3";
  s.head_norms = false;
  s.fused_qkv = s.fused_gate_up = true;
  s.eps = 1e-5f;
  s.rope_base = 10000;
  s.window = 2047;  // which nobody uses
  s.n_embd = s.n_heads * s.head_dim;
  return s;
}

ModelShape gemma2(ModelShape s) {
  s.architecture = "gemma2";
  s.head_norms = false;
  s.tied = s.post_norms = true;
  s.rope_base = 10000;
  s.qk_gain = 2;
  s.embedding_gain = 4;
  s.numbers = {{"attn_logit_softcapping", 50}, {"final_logit_softcapping", 30}};
  return s;
}

// A tiny model of every dense family (llama.cpp refuses files with phi3 in their names and another
// vocabulary than Phi-3's) with everything that it may have.
std::vector<ModelShape> dense_shapes() {
  const auto tiny = [&](const char* architecture, const char* name, int64_t head_dim) {
    const std::string a = architecture;
    return ModelShape{.name = name,
                      .architecture = a,
                      .n_layers = 3,
                      .n_embd = a == "qwen2" ? 4 * head_dim : 64,
                      .n_heads = 4,
                      .n_kv_heads = 2,
                      .head_dim = head_dim,
                      .n_ff = 96,
                      .head_norms = a == "qwen3" || a == "gemma3",
                      .qkv_biases = a == "qwen2"};
  };
  std::vector<ModelShape> all;
  all.push_back(with_yarn(tiny("llama", "tiny-llama-yarn", 64)));
  all.push_back(tiny("llama", "tiny-mixtral", 32));
  all.back().n_experts = 8;
  all.back().n_used = 2;
  all.back().expert_ff = all.back().n_ff;
  all.push_back(tiny("qwen2", "tiny-qwen2", 16));
  all.back().tied = true;
  all.push_back(with_yarn(tiny("qwen2", "tiny-qwen2-yarn", 64)));
  all.push_back(tiny("qwen2", "tiny-qwen2-fused", 16));
  all.back().fused_qkv = true;
  all.push_back(tiny("qwen3", "tiny-qwen3", 32));
  all.back().tied = true;
  all.push_back(with_yarn(tiny("qwen3", "tiny-qwen3-yarn", 64)));
  all.push_back(tiny("smollm3", "tiny-smollm3", 32));
  all.back().n_layers = 5;
  all.back().tied = true;
  all.back().pre = "smaug-bpe";
  all.push_back(phi3(tiny("phi3", "tiny-phi", 24)));
  all.back().n_kv_heads = 4;
  for (const int64_t context : {32, 256}) {
    all.push_back(phi3(tiny("phi3", "", 32)));
    all.back().name = fmt::format("tiny-phi-longrope-{}", context);
    all.back().rope_dims = 24;
    all.back().short_context = context;
    all.back().tied = context == 256;
  }
  all.push_back(gemma2(tiny("gemma2", "tiny-gemma2", 32)));
  all.back().n_layers = 4;
  all.back().window = 24;
  ModelShape gemma3 = tiny("gemma3", "tiny-gemma3", 32);
  gemma3.n_layers = 7;
  gemma3.window = 24;
  gemma3.tied = gemma3.post_norms = true;
  gemma3.texts = {{"rope.scaling.type", "linear"}};
  gemma3.numbers = {{"rope.scaling.factor", 8}};
  all.push_back(gemma3);
  const ModelShape gemma4{.architecture = "gemma4",
                          .n_layers = 6,
                          .n_embd = 64,
                          .n_heads = 4,
                          .n_kv_heads = 1,
                          .head_dim = 64,
                          .n_ff = 96,
                          .tied = true,
                          .interval = 3,
                          .window = 24,
                          .sliding_head_dim = 32,
                          .sliding_kv_heads = 2,
                          .embedding_gain = 1};
  all.push_back(gemma4);
  all.back().name = "tiny-gemma4";
  all.push_back(gemma4);
  all.back().name = "tiny-gemma4-per-layer";
  all.back().shared_kv_layers = 3;
  all.back().per_layer_width = 32;
  all.back().sliding_kv_heads = 1;
  all.push_back(gemma4);
  all.back().name = "tiny-gemma4-experts";
  all.back().n_experts = 8;
  all.back().n_used = 2;
  all.back().expert_ff = 32;
  all.back().fused_gate_up = true;
  all.push_back(all.back());
  ModelShape& gemma4_26b = all.back();
  gemma4_26b.name = "gemma-4-26b-a4b";
  gemma4_26b.n_layers = 30;
  gemma4_26b.interval = 6;
  gemma4_26b.n_embd = 2816;
  gemma4_26b.n_heads = 16;
  gemma4_26b.n_kv_heads = 2;
  gemma4_26b.head_dim = 512;
  gemma4_26b.sliding_kv_heads = 8;
  gemma4_26b.sliding_head_dim = 256;
  gemma4_26b.n_ff = 2112;
  gemma4_26b.n_experts = 128;
  gemma4_26b.n_used = 8;
  gemma4_26b.expert_ff = 704;
  gemma4_26b.n_vocab = gemma4_26b.n_context = 262144;
  gemma4_26b.window = 1024;
  ModelShape gpt_oss = with_yarn(tiny("gpt-oss", "tiny-gpt-oss", 32));
  gpt_oss.n_layers = 4;
  gpt_oss.n_heads = 8;
  gpt_oss.rope_base = 150000;
  gpt_oss.numbers = {{"rope.scaling.factor", 32}};
  gpt_oss.window = 24;
  gpt_oss.qkv_biases = gpt_oss.all_biases = gpt_oss.sinks = true;
  gpt_oss.ffn_norm = "post_attention_norm";
  gpt_oss.n_experts = 8;
  gpt_oss.n_used = 4;
  gpt_oss.expert_ff = 64;
  gpt_oss.expert_gain = 3;
  all.push_back(gpt_oss);
  gpt_oss.name = "gpt-oss-20b";
  gpt_oss.n_layers = 24;
  gpt_oss.n_embd = gpt_oss.expert_ff = 2880;
  gpt_oss.n_heads = 64;
  gpt_oss.n_kv_heads = 8;
  gpt_oss.head_dim = 64;
  gpt_oss.n_vocab = 201088;
  gpt_oss.n_context = 131072;
  gpt_oss.sizes = {{"rope.scaling.original_context_length", 4096}};
  gpt_oss.window = 128;
  gpt_oss.n_experts = 32;
  gpt_oss.expert_gain = 1;
  all.push_back(gpt_oss);
  return all;
}

std::vector<ModelShape> make_shapes() {
  constexpr int64_t kVocab = 248320, kContext = 262144;
  std::vector<ModelShape> all = dense_shapes();
  all.push_back(qwen35({.name = "qwen3.5-4b",
                        .n_layers = 32,
                        .n_embd = 2560,
                        .n_heads = 16,
                        .n_kv_heads = 4,
                        .n_ff = 9216,
                        .n_vocab = kVocab,
                        .n_context = kContext,
                        .tied = true,
                        .k_heads = 16,
                        .v_heads = 32}));
  all.push_back(qwen35({.name = "qwen3.5-9b",
                        .n_layers = 32,
                        .n_embd = 4096,
                        .n_heads = 16,
                        .n_kv_heads = 4,
                        .n_ff = 12288,
                        .n_vocab = kVocab,
                        .n_context = kContext,
                        .k_heads = 16,
                        .v_heads = 32}));
  all.push_back(qwen35({.name = "qwen3.6-35b-a3b",
                        .n_layers = 40,
                        .n_embd = 2048,
                        .n_heads = 16,
                        .n_kv_heads = 2,
                        .n_vocab = kVocab,
                        .n_context = kContext,
                        .n_experts = 256,
                        .n_used = 8,
                        .expert_ff = 512,
                        .shared_ff = 512,
                        .k_heads = 16,
                        .v_heads = 32}));
  all.push_back({.name = "qwen3-30b-a3b",
                 .architecture = "qwen3moe",
                 .n_layers = 48,
                 .n_embd = 2048,
                 .n_heads = 32,
                 .n_kv_heads = 4,
                 .head_dim = 128,
                 .n_ff = 6144,
                 .n_vocab = 151936,
                 .n_context = 40960,
                 .n_experts = 128,
                 .n_used = 8,
                 .expert_ff = 768});
  all.push_back({.name = "tiny-qwen3moe",
                 .architecture = "qwen3moe",
                 .n_layers = 3,
                 .n_embd = 64,
                 .n_heads = 4,
                 .n_kv_heads = 1,
                 .head_dim = 32,
                 .n_ff = 96,
                 .n_experts = 16,
                 .n_used = 4,
                 .expert_ff = 48});
  all.push_back(qwen35({.name = "tiny-qwen35",
                        .n_layers = 8,
                        .n_embd = 64,
                        .n_heads = 2,
                        .n_kv_heads = 1,
                        .n_ff = 96,
                        .tied = true,
                        .k_heads = 2,
                        .v_heads = 4}));
  all.push_back(qwen35({.name = "tiny-qwen35-untied",
                        .n_layers = 4,
                        .n_embd = 64,
                        .n_heads = 4,
                        .n_kv_heads = 1,
                        .n_ff = 128,
                        .k_heads = 4,
                        .v_heads = 4,
                        .names_recurrent_layers = true}));
  all.push_back(qwen35({.name = "tiny-qwen35-mtp",
                        .n_layers = 4,
                        .n_embd = 64,
                        .n_heads = 2,
                        .n_kv_heads = 2,
                        .n_ff = 96,
                        .k_heads = 1,
                        .v_heads = 3,
                        .n_mtp = 1}));
  all.push_back(qwen35({.name = "tiny-qwen35moe",
                        .n_layers = 4,
                        .n_embd = 64,
                        .n_heads = 2,
                        .n_kv_heads = 2,
                        .n_experts = 16,
                        .n_used = 4,
                        .expert_ff = 32,
                        .shared_ff = 48,
                        .k_heads = 2,
                        .v_heads = 4}));
  ModelShape fused = all.back();
  fused.name = "tiny-qwen35moe-fused";
  fused.fused_gate_up = true;
  fused.fused_qkv = true;
  fused.expert_ff = 40;
  all.push_back(fused);
  // Wide enough for every format.
  for (const char* name :
       {"qwen3moe", "qwen35", "qwen35moe", "mixtral", "gemma4-experts", "gpt-oss"}) {
    ModelShape small = *std::ranges::find(all, std::string("tiny-") + name, &ModelShape::name);
    small.name = std::string("small-") + name;
    small.n_layers = std::min<int64_t>(small.n_layers, 4);
    small.n_embd = small.n_ff = 256;
    if (small.n_experts) small.expert_ff = 256;
    if (small.shared_ff) small.shared_ff = 256;
    all.push_back(small);
  }
  return all;
}

}  // namespace

const std::vector<ModelShape>& model_shapes() {
  static const std::vector<ModelShape> kShapes = make_shapes();
  return kShapes;
}

const ModelShape& model_shape(const std::string& name) {
  for (const ModelShape& shape : model_shapes())
    if (shape.name == name) return shape;
  CHECK(false, "no shape {}", name);
  return model_shapes().front();
}

gguf::Writer random_model(const ModelShape& shape, const WeightTypes& types, uint64_t seed,
                          bool holes) {
  return Builder(shape, types, seed, holes).build();
}

}  // namespace plumb::test
