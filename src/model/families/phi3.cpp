// phi3: Phi-3, Phi-3.5, Phi-4 and Phi-4-mini (Abdin et al. 2024). The block of llama with
// half-split rope on some or all of a head, q, k and v in one tensor, gate and up in another. The
// long-context models have two sets of rope factors, for sequences within the original context and
// beyond (longrope, Ding et al. 2024); the magnitude that belongs to them holds for both. Windows
// that the file names are not used, as elsewhere.

#include "base/error.h"
#include "model/family.h"

namespace plumb {
namespace {

void read_longrope(const Keys& keys, TensorTable& tensors, const ModelDesc& d, Rope& rope) {
  auto factors =
      read_factors(keys, tensors.optional_vector("rope_factors_short.weight", rope.n_dims / 2));
  rope.long_factors =
      read_factors(keys, tensors.optional_vector("rope_factors_long.weight", rope.n_dims / 2));
  if (factors.empty() != rope.long_factors.empty())
    fail(
        "{}: expected both or none of rope_factors_short.weight and rope_factors_long.weight, "
        "got one",
        keys.metadata.file_name());
  if (factors.empty()) return;
  if (!rope.factors.empty())
    fail("{}: {}: expected no yarn beside rope_factors_short.weight, got yarn",
         keys.metadata.file_name(), keys("rope.scaling.type"));
  rope.factors = std::move(factors);
  rope.short_positions =
      keys.metadata.integer_or(keys("rope.scaling.original_context_length"), d.n_context, 1);
  rope.reach = fmt::format("longrope beyond {} positions", rope.short_positions);
}

}  // namespace

ModelDesc read_phi3(const Keys& keys, TensorTable& tensors) {
  ModelDesc d = read_decoder(keys, tensors);
  const int64_t head_dim = read_head_dim(keys, d.n_embd);
  Rope rope = read_rope(keys, RopeLayout::half_split, head_dim);
  read_longrope(keys, tensors, d, rope);
  for (int64_t i = 0; i < std::ssize(d.layers); ++i) {
    read_pre_norms(tensors, d, i);
    Layer& layer = d.layers[static_cast<size_t>(i)];
    layer.mixer = read_attention(keys, tensors, d, i, head_dim, rope);
    layer.ffn = read_dense_ffn(keys, tensors, d, i, Activation::silu);
  }
  return d;
}

}  // namespace plumb
