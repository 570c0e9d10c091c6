// A model description in words: sizes, layers by kind, formats.

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/text.h"
#include "model/model_desc.h"

namespace plumb {
namespace {

std::string text_of(const Rope& rope) {
  if (rope.n_dims == 0) return "no rope";
  const char* space = rope.reach.empty() ? "" : " ";
  return fmt::format("rope {} base {:g}{}{}", rope.n_dims, rope.base, space, rope.reach);
}

std::string text_of(const Attention& a) {
  const std::string reach = a.window ? fmt::format(" to {} positions", a.window) : "";
  std::string text = fmt::format("attention{}: {} query heads on {} kv heads of {}, {}", reach,
                                 a.n_heads, a.n_kv_heads, a.head_dim, text_of(a.rope));
  if (a.q_norm) text += ", q and k normed";
  if (a.q_bias) text += ", biases";
  if (a.logit_cap > 0) text += fmt::format(", scores capped at {:g}", a.logit_cap);
  if (a.sinks) text += ", sinks";
  if (a.output_gate) text += ", gated";
  if (a.cache_of_layer >= 0)
    text += fmt::format(", cache of layer {}", a.cache_of_layer);
  else if (!a.v)
    text += ", values from keys";
  return text;
}

std::string text_of(const DeltaNet& d) {
  return fmt::format("gated delta net: {} value heads on {} key heads of {}, convolution over {}",
                     d.n_v_heads, d.n_k_heads, d.head_dim, d.conv_width);
}

std::string text_of(const DenseFfn& f) {
  return fmt::format("dense ffn: {} wide, {}", f.gate.rows, activation_name(f.activation));
}

std::string text_of(const MoeFfn& f) {
  return fmt::format(
      "experts: {} of {}, each {} wide, {}{}", f.n_used, f.n_experts, f.gate.rows,
      activation_name(f.activation),
      f.shared ? fmt::format(", and a shared one {} wide", f.shared->gate.rows) : "");
}

std::string text_of(const Layer& layer) {
  const auto text = [](const auto& block) { return text_of(block); };
  std::string all = std::visit(text, layer.mixer) + " · " + std::visit(text, layer.ffn);
  if (layer.per_layer_input.gate)
    all += fmt::format(" · slice of {} of a second embedding", layer.per_layer_input.gate.rows);
  return all;
}

}  // namespace

std::string_view activation_name(Activation activation) {
  constexpr std::string_view kNames[] = {"silu", "gelu", "clamped swiglu"};
  return kNames[static_cast<size_t>(activation)];
}

std::string to_text(const ModelDesc& desc) {
  int64_t parameters = 0;
  struct Use {
    std::set<std::string_view> tensors;  // of the file, where several weights may be parts of one
    int64_t bytes = 0;
  };
  std::map<std::string_view, Use> formats;
  for (const Tensor* t : tensors_of(desc)) {
    parameters += t->elements();
    Use& use = formats[format_info(t->format).name];
    use.tensors.insert(std::string_view(t->name).substr(0, t->name.find('[')));
    use.bytes += t->bytes();
  }
  std::string out = fmt::format(
      "{}: {:.1f} M parameters, {} layers, width {}, vocabulary {}, context {}{}\n",
      desc.architecture, static_cast<double>(parameters) / 1e6, desc.layers.size(), desc.n_embd,
      desc.n_vocab, desc.n_context, desc.tied_head ? ", head tied to the embedding" : "");
  // Layers that are alike stand on one line.
  std::map<std::string, int64_t> kinds;
  for (const Layer& layer : desc.layers) ++kinds[text_of(layer)];
  for (const auto& [kind, n] : kinds)
    out += fmt::format("  {} layer{}: {}\n", n, n == 1 ? "" : "s", kind);
  if (desc.n_left_out)
    out += fmt::format("  {} more at the end, for predicting further tokens: left out\n",
                       desc.n_left_out);
  for (const auto& [name, use] : formats)
    out += fmt::format("  {}: {} tensors, {}\n", name, use.tensors.size(), human_bytes(use.bytes));
  return out;
}

}  // namespace plumb
