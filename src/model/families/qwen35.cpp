// qwen35, qwen35moe: Qwen3.5 and 3.6, dense and with experts (Qwen Team 2026). Three of four layers
// are gated delta nets; the others attention with normed, partly rotated queries and keys, every
// query row followed by a gate of the head's output. Positions of text count the same in all
// sections of the rope, which so is an ordinary half-split one. Blocks that predict further tokens
// are left out.

#include <fmt/ranges.h>

#include "base/error.h"
#include "model/family.h"

namespace plumb {
namespace {

constexpr int64_t kMaxPredicting = 64;

// Layers without attention: as the file says, or all but every full_attention_interval-th.
std::vector<bool> read_recurrent_layers(const Keys& keys, int64_t n_blocks) {
  std::vector<bool> recurrent = read_flags(keys, "attention.recurrent_layers", n_blocks);
  if (!recurrent.empty()) return recurrent;
  const int64_t interval = keys.metadata.integer(keys("full_attention_interval"), 1, kMaxLayers);
  for (int64_t i = 0; i < n_blocks; ++i) recurrent.push_back((i + 1) % interval != 0);
  return recurrent;
}

// Pairs of the rope that turn by the time, the height, the width and something else: the same for
// text in all but the last.
void require_sections_of_text(const Keys& keys) {
  const gguf::Metadata& m = keys.metadata;
  const std::vector<int64_t> pairs = m.integers_or_empty(keys("rope.dimension_sections"));
  if (!pairs.empty() && (pairs.size() != 4 || pairs[3] != 0))
    fail("{}: {}: expected four numbers, the last one 0, got {}", m.file_name(),
         keys("rope.dimension_sections"), fmt::join(pairs, ", "));
}

template <typename ReadFfn>
ModelDesc read(const Keys& keys, TensorTable& tensors, ReadFfn read_ffn) {
  ModelDesc d = read_decoder(keys, tensors);
  const auto n_blocks = static_cast<int64_t>(d.layers.size());
  d.n_left_out = keys.metadata.integer_or(keys("nextn_predict_layers"), 0, 0,
                                          std::min(kMaxPredicting, n_blocks - 1));
  const int64_t n_layers = n_blocks - d.n_left_out;
  const int64_t head_dim = read_head_dim(keys, d.n_embd);
  const Rope rope = read_rope(keys, RopeLayout::half_split, head_dim);
  require_sections_of_text(keys);
  const std::vector<bool> recurrent = read_recurrent_layers(keys, n_blocks);
  for (int64_t i = 0; i < n_layers; ++i) {
    Layer& layer = d.layers[static_cast<size_t>(i)];
    layer.mixer_norm = tensors.vector(in_layer(i, "attn_norm.weight"), d.n_embd);
    if (recurrent[static_cast<size_t>(i)]) {
      layer.mixer = read_delta_net(keys, tensors, d, i);
    } else {
      Attention attention = read_attention(keys, tensors, d, i, head_dim, rope, true);
      read_qk_norms(tensors, i, attention);
      layer.mixer = attention;
    }
    layer.ffn_norm = tensors.vector(in_layer(i, "post_attention_norm.weight"), d.n_embd);
    layer.ffn = read_ffn(d, i);
  }
  for (int64_t i = n_layers; i < n_blocks; ++i) {
    if (tensors.ignore_all(in_layer(i, "nextn.")) == 0)
      fail(
          "{}: {}: expected the number of blocks with nextn tensors, got {}, and block {} has none",
          keys.metadata.file_name(), keys("nextn_predict_layers"), d.n_left_out, i);
    tensors.ignore_all(in_layer(i, ""));
  }
  d.layers.resize(static_cast<size_t>(n_layers));
  return d;
}

}  // namespace

ModelDesc read_qwen35(const Keys& keys, TensorTable& tensors) {
  return read(keys, tensors, [&](const ModelDesc& d, int64_t i) {
    return read_dense_ffn(keys, tensors, d, i, Activation::silu);
  });
}

ModelDesc read_qwen35moe(const Keys& keys, TensorTable& tensors) {
  return read(keys, tensors, [&](const ModelDesc& d, int64_t i) {
    MoeFfn ffn = read_moe_ffn(keys, tensors, d, i, RouterRule::softmax_top, Activation::silu);
    read_shared_expert(keys, tensors, d, i, ffn);
    return ffn;
  });
}

}  // namespace plumb
