#include "model/model_desc.h"

#include <map>

#include "base/error.h"
#include "base/text.h"
#include "model/family.h"

namespace plumb {
namespace {

struct Family {
  std::string_view architecture;
  ModelDesc (*read)(const Keys&, TensorTable&);
};
constexpr Family kFamilies[] = {
    {"llama", read_llama},
};

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

}  // namespace

std::vector<std::string> known_architectures() {
  std::vector<std::string> names;
  for (const Family& family : kFamilies) names.emplace_back(family.architecture);
  return names;
}

ModelDesc load_model_desc(const gguf::File& file) {
  const gguf::Metadata& m = file.metadata();
  const std::string architecture(m.string("general.architecture"));
  for (const Family& family : kFamilies) {
    if (family.architecture != architecture) continue;
    if (file.n_tensors() == 0)
      fail("{}: expected a model with weights, got a vocabulary-only file", m.file_name());
    TensorTable tensors(file);
    ModelDesc desc = family.read(Keys{m, architecture}, tensors);
    tensors.finish();
    return desc;
  }
  fail("{}: general.architecture: expected one of {}, got {}", m.file_name(),
       joined(known_architectures()), plumb::quoted(architecture));
}

std::vector<const Tensor*> tensors_of(const ModelDesc& desc) {
  std::vector<const Tensor*> all;
  const auto add = [&](std::initializer_list<const Tensor*> some) {
    for (const Tensor* t : some)
      if (*t) all.push_back(t);
  };
  add({&desc.embedding});
  for (const Layer& layer : desc.layers) {
    add({&layer.mixer_norm});
    std::visit(
        [&](const Attention& a) {
          add({&a.q, &a.k, &a.v, &a.out, &a.q_bias, &a.k_bias, &a.v_bias, &a.out_bias});
        },
        layer.mixer);
    add({&layer.ffn_norm});
    std::visit(
        [&](const DenseFfn& f) {
          add({&f.gate, &f.up, &f.down, &f.gate_bias, &f.up_bias, &f.down_bias});
        },
        layer.ffn);
  }
  if (const auto* a = std::get_if<Attention>(&desc.layers.front().mixer)) add({&a->rope.factors});
  add({&desc.final_norm});
  if (!desc.tied_head) add({&desc.head});
  return all;
}

std::string to_text(const ModelDesc& desc) {
  int64_t parameters = 0;
  std::map<std::string_view, std::pair<int64_t, int64_t>> formats;  // name -> tensors, bytes
  for (const Tensor* t : tensors_of(desc)) {
    parameters += t->elements();
    auto& [count, bytes] = formats[format_info(t->format).name];
    ++count;
    bytes += t->bytes();
  }
  std::string out = fmt::format(
      "{}: {:.1f} M parameters, {} layers, width {}, vocabulary {}, context {}{}\n",
      desc.architecture, static_cast<double>(parameters) / 1e6, desc.layers.size(), desc.n_embd,
      desc.n_vocab, desc.n_context, desc.tied_head ? ", head tied to the embedding" : "");
  // Layers that are alike stand on one line.
  std::map<std::string, std::vector<size_t>> kinds;
  for (size_t i = 0; i < desc.layers.size(); ++i) {
    std::string kind = std::visit(
        [](const Attention& a) {
          return fmt::format(
              "attention: {} query heads on {} kv heads of {}, rope {} base {:g}{}{}", a.n_heads,
              a.n_kv_heads, a.head_dim, a.rope.n_dims, a.rope.base,
              a.rope.factors ? " with factors" : "", a.q_bias ? ", biases" : "");
        },
        desc.layers[i].mixer);
    kind += std::visit(
        [](const DenseFfn& f) { return fmt::format(" · dense ffn: {} wide, silu", f.gate.rows); },
        desc.layers[i].ffn);
    kinds[kind].push_back(i);
  }
  for (const auto& [kind, layers] : kinds)
    out += fmt::format("  {} layers: {}\n", layers.size(), kind);
  for (const auto& [name, use] : formats)
    out += fmt::format("  {}: {} tensors, {}\n", name, use.first, human_bytes(use.second));
  return out;
}

}  // namespace plumb
