// gpt-oss (OpenAI 2025): experts with a clamped SwiGLU and biases everywhere, attention with a sink
// in every head's softmax, sliding in every other layer, and yarn on all of it. The norm before the
// experts has the name that gemma gives to one behind attention.

#include "model/family.h"

namespace plumb {

ModelDesc read_gpt_oss(const Keys& keys, TensorTable& tensors) {
  ModelDesc d = read_decoder(keys, tensors);
  require_tensor(keys, d.tied_head ? Tensor() : d.head, "output.weight");
  const int64_t head_dim = read_head_dim(keys, d.n_embd);
  const Rope rope = read_rope(keys, RopeLayout::half_split, head_dim);
  const Rope sliding_rope = read_rope_of_windows(keys, RopeLayout::half_split, head_dim);
  const int64_t window = keys.metadata.integer(keys("attention.sliding_window"), 1);
  const std::vector<bool> slides = read_sliding_layers(keys, std::ssize(d.layers), 2);
  for (int64_t i = 0; i < std::ssize(d.layers); ++i) {
    const auto at = static_cast<size_t>(i);
    Layer& layer = d.layers[at];
    Attention attention =
        read_attention(keys, tensors, d, i, head_dim, slides[at] ? sliding_rope : rope);
    require_tensor(keys, attention.out_bias, in_layer(i, "attn_output.bias"));
    attention.sinks = tensors.vector(in_layer(i, "attn_sinks.weight"), attention.n_heads);
    attention.window = slides[at] ? window : 0;
    layer.mixer_norm = tensors.vector(in_layer(i, "attn_norm.weight"), d.n_embd);
    layer.mixer = std::move(attention);
    layer.ffn_norm = tensors.vector(in_layer(i, "post_attention_norm.weight"), d.n_embd);
    MoeFfn ffn =
        read_moe_ffn(keys, tensors, d, i, RouterRule::top_softmax, Activation::clamped_swiglu);
    require_tensor(keys, ffn.router_bias, in_layer(i, "ffn_gate_inp.bias"));
    require_tensor(keys, ffn.gate.bias, in_layer(i, "ffn_gate_exps.bias"));
    require_tensor(keys, ffn.up.bias, in_layer(i, "ffn_up_exps.bias"));
    require_tensor(keys, ffn.down.bias, in_layer(i, "ffn_down_exps.bias"));
    layer.ffn = std::move(ffn);
  }
  return d;
}

}  // namespace plumb
