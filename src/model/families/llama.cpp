// llama: SmolLM2, Llama 2 and 3.x, Mistral, and what others publish under the same architecture
// (Touvron et al. 2023). Pre-norm decoder, grouped query heads, interleaved rope (the converter
// permutes q and k for it), SwiGLU; Llama 3.2 carries its long-context rope factors as a tensor;
// some models have biases; Mixtral has experts, each as wide as a dense FFN (Jiang et al. 2024).

#include "base/error.h"
#include "model/family.h"

namespace plumb {

ModelDesc read_llama(const Keys& keys, TensorTable& tensors) {
  const bool has_experts = keys.metadata.integer_or(keys("expert_count"), 0) != 0;
  if (has_experts && tensors.has("blk.0.ffn_gate.0.weight"))
    fail(
        "{}: expected the experts of a layer in one tensor (ffn_gate_exps), got a tensor for each: "
        "a file of 2023, to be converted again",
        keys.metadata.file_name());
  ModelDesc d = read_decoder(keys, tensors);
  const int64_t head_dim = read_head_dim(keys, d.n_embd);
  Rope rope = read_rope(keys, RopeLayout::interleaved, head_dim);
  multiply_factors(
      rope, read_factors(keys, tensors.optional_vector("rope_freqs.weight", rope.n_dims / 2)));
  for (int64_t i = 0; i < std::ssize(d.layers); ++i) {
    read_pre_norms(tensors, d, i);
    Layer& layer = d.layers[static_cast<size_t>(i)];
    layer.mixer = read_attention(keys, tensors, d, i, head_dim, rope);
    if (has_experts)
      layer.ffn = read_moe_ffn(keys, tensors, d, i, RouterRule::softmax_top, Activation::silu,
                               read_ffn_width(keys, d, i));
    else
      layer.ffn = read_dense_ffn(keys, tensors, d, i, Activation::silu);
    // Old files carry the rope table, which plumb computes.
    tensors.ignore(in_layer(i, "attn_rot_embd.weight"));
  }
  return d;
}

}  // namespace plumb
