// Reads mixtures of experts: sizes, router and the stacks of expert matrices, separate or fused.

#include "base/error.h"
#include "model/family.h"

namespace plumb {
namespace {

// Above any real model; below where products of these could overflow anything.
constexpr int64_t kMaxExperts = 1 << 13, kMaxUsed = 1 << 8;

// What files may say of the router, as llama.cpp numbers it, and what it always does here. A file
// that asks for something else would be computed wrongly.
void require_routing(const Keys& keys, RouterRule rule) {
  const gguf::Metadata& m = keys.metadata;
  const auto require = [&](std::string_view key, double got, double expected) {
    if (got != expected)
      fail("{}: {}: expected {} (plumb knows no other router), got {}", m.file_name(), keys(key),
           expected, got);
  };
  constexpr int64_t kNotSaid = 0, kSoftmax = 1, kSoftmaxOfChosen = 3;
  const int64_t gating = rule == RouterRule::top_softmax ? kSoftmaxOfChosen : kSoftmax;
  if (const int64_t got = m.integer_or(keys("expert_gating_func"), kNotSaid); got != kNotSaid)
    require("expert_gating_func", static_cast<double>(got), static_cast<double>(gating));
  if (const double scale = m.number_or(keys("expert_weights_scale"), 0); scale != 0)
    require("expert_weights_scale", scale, 1);
  require("expert_weights_norm", m.boolean_or(keys("expert_weights_norm"), true), true);
  if (const int64_t groups = m.integer_or(keys("expert_group_count"), 0); groups != 0)
    require("expert_group_count", static_cast<double>(groups), 1);
  const int64_t dense = m.integer_or(keys("leading_dense_block_count"), 0);
  require("leading_dense_block_count", static_cast<double>(dense), 0);
}

// The width of an expert; files that do not say it share the dense width out.
int64_t read_expert_width(const Keys& keys, int64_t n_layers, int64_t n_used) {
  const gguf::Metadata& m = keys.metadata;
  if (m.has(keys("expert_feed_forward_length")))
    return m.integer(keys("expert_feed_forward_length"), 1, kMaxWidth);
  const int64_t dense = m.per_layer(keys("feed_forward_length"), n_layers, 1, kMaxWidth)[0];
  if (dense % n_used != 0)
    fail(
        "{}: {}: expected the width of an expert, or a {} that is a multiple of the {} used, got "
        "{}",
        m.file_name(), keys("expert_feed_forward_length"), keys("feed_forward_length"), n_used,
        dense);
  return dense / n_used;
}

// The matrices `name` of all experts, rows of each of them side by side in the file.
ExpertStack read_stack(TensorTable& tensors, const std::string& name, int64_t columns, int64_t rows,
                       int64_t n_experts) {
  ExpertStack stack{.rows = rows, .stride = rows};
  stack.weight = tensors.matrices(name + ".weight", columns, rows, n_experts);
  stack.bias = tensors.optional_matrix(name + ".bias", rows, n_experts);
  return stack;
}

void read_gate_up(TensorTable& tensors, const std::string& prefix, int64_t columns, int64_t rows,
                  MoeFfn& f) {
  if (!tensors.has(prefix + "ffn_gate_up_exps.weight")) {
    f.gate = read_stack(tensors, prefix + "ffn_gate_exps", columns, rows, f.n_experts);
    f.up = read_stack(tensors, prefix + "ffn_up_exps", columns, rows, f.n_experts);
    return;
  }
  const Tensor both =
      tensors.matrices(prefix + "ffn_gate_up_exps.weight", columns, 2 * rows, f.n_experts);
  f.gate = {both, {}, rows, 0, 2 * rows};
  f.up = {both, {}, rows, rows, 2 * rows};
}

}  // namespace

MoeFfn read_moe_ffn(const Keys& keys, TensorTable& tensors, const ModelDesc& desc, int64_t layer,
                    RouterRule rule, Activation activation, int64_t width) {
  const gguf::Metadata& m = keys.metadata;
  const auto n_layers = static_cast<int64_t>(desc.layers.size());
  const std::string prefix = in_layer(layer, "");
  MoeFfn f{.rule = rule, .activation = activation};
  require_routing(keys, rule);
  f.n_experts = m.integer(keys("expert_count"), 1, kMaxExperts);
  f.n_used = m.integer(keys("expert_used_count"), 1, std::min(kMaxUsed, f.n_experts));
  if (width == 0) width = read_expert_width(keys, n_layers, f.n_used);
  f.router = tensors.matrix(prefix + "ffn_gate_inp.weight", desc.n_embd, f.n_experts);
  f.router_bias = tensors.optional_vector(prefix + "ffn_gate_inp.bias", f.n_experts);
  read_gate_up(tensors, prefix, desc.n_embd, width, f);
  f.down = read_stack(tensors, prefix + "ffn_down_exps", width, desc.n_embd, f.n_experts);
  return f;
}

void read_shared_expert(const Keys& keys, TensorTable& tensors, const ModelDesc& desc,
                        int64_t layer, MoeFfn& f) {
  const std::string prefix = in_layer(layer, "");
  const int64_t width =
      keys.metadata.integer(keys("expert_shared_feed_forward_length"), 1, kMaxWidth);
  DenseFfn shared{.activation = f.activation};
  shared.gate = tensors.matrix(prefix + "ffn_gate_shexp.weight", desc.n_embd, width);
  shared.up = tensors.matrix(prefix + "ffn_up_shexp.weight", desc.n_embd, width);
  shared.down = tensors.matrix(prefix + "ffn_down_shexp.weight", width, desc.n_embd);
  f.shared = shared;
  f.shared_gate = tensors.vector(prefix + "ffn_gate_inp_shexp.weight", desc.n_embd);
}

}  // namespace plumb
