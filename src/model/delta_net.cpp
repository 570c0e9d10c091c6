// Reads gated delta nets: the keys under ssm.* and the tensors of one recurrent layer.

#include <cmath>

#include "base/error.h"
#include "model/family.h"

namespace plumb {
namespace {

// Above any real model; below where products of these could overflow anything.
constexpr int64_t kMaxStateHeads = 1 << 12, kMaxStateDim = 1 << 9;

int64_t multiple_of(const Keys& keys, std::string_view key, int64_t divisor, int64_t most) {
  const int64_t n = keys.metadata.integer(keys(key), 1, most);
  if (n % divisor != 0)
    fail("{}: {}: expected a multiple of {}, got {}", keys.metadata.file_name(), keys(key), divisor,
         n);
  return n;
}

// A state that grew with every token would be none: -e^x of what was trained.
void require_decay(const Keys& keys, const Tensor& a) {
  for (const float value : values_of(a))
    if (!(value <= 0 && std::isfinite(value)))
      fail("{}: tensor {}: expected finite numbers of at most 0, got {}", keys.metadata.file_name(),
           a.name, value);
}

}  // namespace

DeltaNet read_delta_net(const Keys& keys, TensorTable& tensors, const ModelDesc& desc,
                        int64_t layer) {
  const gguf::Metadata& m = keys.metadata;
  const auto name = [&](std::string_view part) { return in_layer(layer, part); };
  DeltaNet d;
  d.conv_width = m.integer(keys("ssm.conv_kernel"), 2, kMaxConvWidth);
  d.head_dim = multiple_of(keys, "ssm.state_size", 16, kMaxStateDim);
  d.n_k_heads = m.integer(keys("ssm.group_count"), 1, kMaxStateHeads);
  d.n_v_heads = multiple_of(keys, "ssm.time_step_rank", d.n_k_heads, kMaxStateHeads);
  const int64_t inner = d.n_v_heads * d.head_dim;
  m.integer(keys("ssm.inner_size"), inner, inner);  // v heads are as wide as k heads
  d.qkv = tensors.matrix(name("attn_qkv.weight"), desc.n_embd, d.channels());
  d.z = tensors.matrix(name("attn_gate.weight"), desc.n_embd, inner);
  d.alpha = tensors.matrix(name("ssm_alpha.weight"), desc.n_embd, d.n_v_heads);
  d.beta = tensors.matrix(name("ssm_beta.weight"), desc.n_embd, d.n_v_heads);
  d.conv = tensors.matrix(name("ssm_conv1d.weight"), d.conv_width, d.channels());
  d.a = tensors.vector(name("ssm_a"), d.n_v_heads);
  require_decay(keys, d.a);
  d.dt_bias = tensors.vector(name("ssm_dt.bias"), d.n_v_heads);
  d.norm = tensors.vector(name("ssm_norm.weight"), d.head_dim);
  d.out = tensors.matrix(name("ssm_out.weight"), inner, desc.n_embd);
  return d;
}

}  // namespace plumb
