#pragma once
// What families share: the keys of one architecture, and readers for the blocks that most decoders
// are made of. A family is a function from metadata and tensors to a ModelDesc, named in the
// registry of model_desc.cpp.

#include <string>

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

// Sizes, embedding, final norm, head (tied when the file has no output.weight): all but the layers,
// which are `n_layers` empty ones.
ModelDesc read_decoder(const Keys& keys, TensorTable& tensors);

// Heads, head size, rope and the four projections of layer `layer`, with optional biases.
Attention read_attention(const Keys& keys, TensorTable& tensors, const ModelDesc& desc,
                         int64_t layer, const Rope& rope);
DenseFfn read_dense_ffn(const Keys& keys, TensorTable& tensors, const ModelDesc& desc,
                        int64_t layer, Activation activation);

// rope.dimension_count, rope.freq_base, rope.scaling.* and rope_freqs.weight. Error for scaling
// that is not implemented.
Rope read_rope(const Keys& keys, TensorTable& tensors, RopeLayout layout, int64_t head_dim);
int64_t read_head_dim(const Keys& keys, int64_t n_embd, int64_t n_heads);

// families/
ModelDesc read_llama(const Keys& keys, TensorTable& tensors);

}  // namespace plumb
