#pragma once
// What families share: the keys of one architecture, and readers for the blocks that most decoders
// are made of. A family is a function from metadata and tensors to a ModelDesc, named in the
// registry of model_desc.cpp.

#include <optional>
#include <string>
#include <vector>

#include "model/model_desc.h"
#include "model/tensor_table.h"

namespace plumb {

// Metadata keys of one architecture: keys("block_count") is llama.block_count of a llama file.
struct Keys {
  const gguf::Metadata& metadata;
  std::string architecture;
  std::string operator()(std::string_view key) const {
    return architecture + "." + std::string(key);
  }
};

// Above any real model; below where products of two of them could overflow anything.
inline constexpr int64_t kMaxLayers = 4096, kMaxWidth = 1 << 24, kMaxHeads = 1 << 16,
                         kMaxHeadDim = 1 << 12;

// Numbers within which a model still computes something, with room around all that are published.
struct Range {
  double least, most;
};
inline constexpr Range kEps{1e-12, 1}, kRopeBase{1, 1e12}, kStretch{1e-6, 1e6}, kCap{1, 1000};

// A number within the range; the fallback where the file has no such key. Error: another number, or
// none.
float read_number(const Keys& keys, std::string_view key, Range range,
                  std::optional<double> fallback = {});
// A soft cap (30 and 50 in published models); 0: none.
float read_cap(const Keys& keys, std::string_view key, double fallback);
// For keys that may only say what is so anyway. Error: another number.
void require_number(const Keys& keys, std::string_view key, int64_t expected);
// Sliding layers whose heads are as those of all layers: the keys that could say otherwise.
void require_heads_alike(const Keys& keys, int64_t head_dim, int64_t n_dims);
// For weights that a family is never without. Error: the file has none.
void require_tensor(const Keys& keys, const Tensor& tensor, const std::string& name);
// The values of a vector as f32; none where there is no tensor.
std::vector<float> values_of(const Tensor& vector);
// The value of a tensor that holds one; the fallback where there is none. Error: not finite.
float read_scalar(const Keys& keys, TensorTable& tensors, const std::string& name, float fallback);
// Names in layers: "blk.3.attn_norm.weight".
std::string in_layer(int64_t layer, std::string_view part);

// Sizes, embedding, final norm, head (tied when the file has no output.weight, with a bias where
// it has output.bias): all but the layers, which are `n_layers` empty ones.
ModelDesc read_decoder(const Keys& keys, TensorTable& tensors);

// attn_norm.weight and ffn_norm.weight of a layer; post_attention_norm.weight and
// post_ffw_norm.weight, of what the branches add.
void read_pre_norms(TensorTable& tensors, ModelDesc& desc, int64_t layer);
void read_post_norms(TensorTable& tensors, ModelDesc& desc, int64_t layer);

// attention.key_length and value_length, which must be equal, or n_embd / heads. `suffix`: of other
// layers' keys ("_swa"), which must then be there.
int64_t read_head_dim(const Keys& keys, int64_t n_embd, std::string_view suffix = "");
// The heads of a layer and scale 1/sqrt(head_dim), no tensors.
Attention read_heads(const Keys& keys, const ModelDesc& desc, int64_t layer, int64_t head_dim,
                     const Rope& rope);
// gemma2 and gemma3: scale 1/sqrt(n_embd / heads) instead, which no key says: the models of 27B
// have it, which alone of their generation have this many layers.
void scale_by_width(const ModelDesc& desc, int64_t n_layers_of_27b, Attention& attention);
// One head_dim for all layers, and one rope. Heads, scale 1/sqrt(head_dim), the four projections of
// layer `layer` (q, k and v apart or fused in attn_qkv) and their optional biases.
Attention read_attention(const Keys& keys, TensorTable& tensors, const ModelDesc& desc,
                         int64_t layer, int64_t head_dim, const Rope& rope,
                         bool output_gate = false);
// attn_q_norm.weight and attn_k_norm.weight.
void read_qk_norms(TensorTable& tensors, int64_t layer, Attention& attention);
// One flag per layer, empty where the file has no such key. Error: another number of them.
std::vector<bool> read_flags(const Keys& keys, std::string_view key, int64_t n_layers);
// The layers that slide, by attention.sliding_window_pattern: flags of all layers, or a period of
// which the last layer does not slide.
std::vector<bool> read_sliding_layers(const Keys& keys, int64_t n_layers, int64_t period);

// feed_forward_length, of a layer.
int64_t read_ffn_width(const Keys& keys, const ModelDesc& desc, int64_t layer);
// Gate, up and down, gate and up apart or fused in ffn_up with the gate's rows first.
DenseFfn read_dense_ffn(const Keys& keys, TensorTable& tensors, const ModelDesc& desc,
                        int64_t layer, Activation activation);

// ssm.* and the tensors of a gated delta net.
DeltaNet read_delta_net(const Keys& keys, TensorTable& tensors, const ModelDesc& desc,
                        int64_t layer);

// rope.dimension_count, rope.freq_base, rope.scaling.*: linear, yarn (Peng et al. 2023) or none,
// for heads of head_dim values. Factors that a tensor holds are the family's to read. `suffix`: the
// rope of sliding layers ("_swa"), which is never stretched (its magnitude is that of all).
Rope read_rope(const Keys& keys, RopeLayout layout, int64_t head_dim, std::string_view suffix = "");
// The rope of sliding layers that differs in its base alone: rope.freq_base_swa, if the file has
// it.
Rope read_rope_of_windows(const Keys& keys, RopeLayout layout, int64_t head_dim);
void multiply_factors(Rope& rope, const std::vector<float>& factors);
// The values of a vector, or none. Error: one that is not a number above 0.
std::vector<float> read_factors(const Keys& keys, const Tensor& vector);

// expert_count and what goes with it: router, gate, up (or both fused) and down of all experts,
// with optional biases. width: of an expert, 0: as the keys say. The shared expert's width and
// tensors, into `moe`.
MoeFfn read_moe_ffn(const Keys& keys, TensorTable& tensors, const ModelDesc& desc, int64_t layer,
                    RouterRule rule, Activation activation, int64_t width = 0);
void read_shared_expert(const Keys& keys, TensorTable& tensors, const ModelDesc& desc,
                        int64_t layer, MoeFfn& moe);

// families/
ModelDesc read_gemma2(const Keys& keys, TensorTable& tensors);
ModelDesc read_gemma3(const Keys& keys, TensorTable& tensors);
ModelDesc read_gemma4(const Keys& keys, TensorTable& tensors);
ModelDesc read_gpt_oss(const Keys& keys, TensorTable& tensors);
ModelDesc read_llama(const Keys& keys, TensorTable& tensors);
ModelDesc read_phi3(const Keys& keys, TensorTable& tensors);
ModelDesc read_qwen2(const Keys& keys, TensorTable& tensors);
ModelDesc read_qwen3(const Keys& keys, TensorTable& tensors);
ModelDesc read_qwen3moe(const Keys& keys, TensorTable& tensors);
ModelDesc read_qwen35(const Keys& keys, TensorTable& tensors);
ModelDesc read_qwen35moe(const Keys& keys, TensorTable& tensors);
ModelDesc read_smollm3(const Keys& keys, TensorTable& tensors);

}  // namespace plumb
