// llama: SmolLM2, Llama 2 and 3.x, and what others publish under the same architecture (Touvron et
// al. 2023). Pre-norm decoder, grouped query heads, interleaved rope (the converter permutes q and
// k for it), SwiGLU; Llama 3.2 carries its long-context rope factors as a tensor; some models have
// biases.

#include "base/error.h"
#include "model/family.h"

namespace plumb {

ModelDesc read_llama(const Keys& keys, TensorTable& tensors) {
  const gguf::Metadata& m = keys.metadata;
  if (const int64_t experts = m.integer_or(keys("expert_count"), 0); experts != 0)
    fail("{}: {}: expected 0 (plumb reads dense llama models only), got {}", m.file_name(),
         keys("expert_count"), experts);

  if (!m.boolean_or(keys("attention.causal"), true))
    fail("{}: {}: expected true (plumb generates text), got false", m.file_name(),
         keys("attention.causal"));

  ModelDesc d = read_decoder(keys, tensors);
  const auto n_layers = static_cast<int64_t>(d.layers.size());
  const int64_t n_heads = m.per_layer(keys("attention.head_count"), n_layers, 1)[0];
  const Rope rope =
      read_rope(keys, tensors, RopeLayout::interleaved, read_head_dim(keys, d.n_embd, n_heads));
  for (int64_t i = 0; i < n_layers; ++i) {
    const auto name = [&](std::string_view part) { return fmt::format("blk.{}.{}", i, part); };
    Layer& layer = d.layers[static_cast<size_t>(i)];
    layer.mixer_norm = tensors.vector(name("attn_norm.weight"), d.n_embd);
    layer.mixer = read_attention(keys, tensors, d, i, rope);
    layer.ffn_norm = tensors.vector(name("ffn_norm.weight"), d.n_embd);
    layer.ffn = read_dense_ffn(keys, tensors, d, i, Activation::silu);
    tensors.ignore(
        name("attn_rot_embd.weight"));  // old files carry the rope table, which plumb computes
  }
  return d;
}

}  // namespace plumb
