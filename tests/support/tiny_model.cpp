#include "support/tiny_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "support/random_blocks.h"

namespace plumb::test {
namespace {

class Builder {
 public:
  Builder(const TinyOptions& options)
      : o_(options), random_(options.seed), writer_(options.alignment) {}

  gguf::Writer build() {
    add_sizes();
    n_vocab_ = add_tiny_vocab(writer_, o_);
    writer_.add("llama.vocab_size", static_cast<uint32_t>(n_vocab_));
    matrix("token_embd.weight", o_.embedding, o_.n_embd, n_vocab_);
    for (int64_t i = 0; i < o_.n_layers; ++i) add_layer(fmt::format("blk.{}.", i));
    vector("output_norm.weight", o_.n_embd, o_.final_norm);
    if (!o_.tied) matrix("output.weight", o_.head, o_.n_embd, n_vocab_);
    if (o_.rope_freqs) add_rope_factors();
    return std::move(writer_);
  }

 private:
  int64_t head_dim() const { return o_.head_dim ? o_.head_dim : o_.n_embd / o_.n_heads; }

  void add_sizes() {
    writer_.add("general.architecture", "llama");
    writer_.add("general.name", "tiny random llama");
    const auto size = [&](const char* key, int64_t value) {
      writer_.add(fmt::format("llama.{}", key), static_cast<uint32_t>(value));
    };
    size("block_count", o_.n_layers);
    size("context_length", o_.n_context);
    size("embedding_length", o_.n_embd);
    size("feed_forward_length", o_.n_ff);
    size("attention.head_count", o_.n_heads);
    size("attention.head_count_kv", o_.n_kv_heads);
    size("rope.dimension_count", head_dim());
    if (o_.head_dim) {
      size("attention.key_length", o_.head_dim);
      size("attention.value_length", o_.head_dim);
    }
    writer_.add("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    writer_.add("llama.rope.freq_base", o_.rope_base);
    writer_.add("general.file_type", 0u);
  }

  // Deviation 1/sqrt(columns) keeps activations near 1 however wide the model is.
  void matrix(const std::string& name, Format format, int64_t columns, int64_t rows) {
    const float deviation = 1 / std::sqrt(static_cast<float>(columns));
    writer_.add_tensor(
        name, format, {columns, rows},
        std::span<const uint8_t>(random_blocks(format, columns * rows, random_, deviation)));
  }

  void vector(const std::string& name, int64_t n, float mean) {
    writer_.add_tensor(name, Format::f32, {n},
                       std::span<const float>(random_.normals(n, mean, 0.1f)));
  }

  void add_layer(const std::string& prefix) {
    const int64_t q = o_.n_heads * head_dim(), kv = o_.n_kv_heads * head_dim();
    vector(prefix + "attn_norm.weight", o_.n_embd, 1);
    matrix(prefix + "attn_q.weight", o_.matrices, o_.n_embd, q);
    matrix(prefix + "attn_k.weight", o_.matrices, o_.n_embd, kv);
    matrix(prefix + "attn_v.weight", o_.matrices, o_.n_embd, kv);
    matrix(prefix + "attn_output.weight", o_.matrices, q, o_.n_embd);
    if (o_.biases) {
      vector(prefix + "attn_q.bias", q, 0);
      vector(prefix + "attn_k.bias", kv, 0);
      vector(prefix + "attn_v.bias", kv, 0);
      vector(prefix + "attn_output.bias", o_.n_embd, 0);
    }
    vector(prefix + "ffn_norm.weight", o_.n_embd, 1);
    matrix(prefix + "ffn_gate.weight", o_.matrices, o_.n_embd, o_.n_ff);
    matrix(prefix + "ffn_up.weight", o_.matrices, o_.n_embd, o_.n_ff);
    matrix(prefix + "ffn_down.weight", o_.matrices, o_.n_ff, o_.n_embd);
  }

  // Some factors 1, some between, some 32: as Llama 3.2's.
  void add_rope_factors() {
    const int64_t n = head_dim() / 2;
    std::vector<float> factors;
    for (int64_t i = 0; i < n; ++i)
      factors.push_back(std::clamp(std::exp2(static_cast<float>(i - n / 2)), 1.0f, 32.0f));
    writer_.add_tensor("rope_freqs.weight", Format::f32, {n}, std::span<const float>(factors));
  }

  const TinyOptions& o_;
  Random random_;
  gguf::Writer writer_;
  int64_t n_vocab_ = 0;
};

}  // namespace

gguf::Writer tiny_llama(const TinyOptions& options) {
  return Builder(options).build();
}

}  // namespace plumb::test
