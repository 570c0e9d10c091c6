#include "model/model_desc.h"

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
    {"gemma2", read_gemma2},   {"gemma3", read_gemma3},       {"gemma4", read_gemma4},
    {"gpt-oss", read_gpt_oss}, {"llama", read_llama},         {"phi3", read_phi3},
    {"qwen2", read_qwen2},     {"qwen3", read_qwen3},         {"qwen3moe", read_qwen3moe},
    {"qwen35", read_qwen35},   {"qwen35moe", read_qwen35moe}, {"smollm3", read_smollm3},
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

Tensor part_of(const Tensor& whole, int64_t first, int64_t n) {
  const bool vector = whole.rows == 1;
  const int64_t block = format_info(whole.format).block_elems;
  if (vector && (first % block || n % block))
    fail(
        "tensor {}: expected a format without blocks, got {}, whose blocks of {} hold values of "
        "two weights",
        whole.name, format_info(whole.format).name, block);
  Tensor part = whole;
  part.name = fmt::format("{}[{}:{}]", whole.name, first, first + n);
  (vector ? part.columns : part.rows) = n;
  const int64_t begin = vector ? format_bytes(whole.format, first) : first * whole.row_bytes();
  part.data = whole.data.subspan(static_cast<size_t>(begin), static_cast<size_t>(part.bytes()));
  return part;
}

namespace {

void add_mixer(const Mixer& mixer, auto add) {
  if (const auto* a = std::get_if<Attention>(&mixer))
    add({&a->q, &a->k, &a->v, &a->out, &a->q_bias, &a->k_bias, &a->v_bias, &a->out_bias, &a->q_norm,
         &a->k_norm, &a->sinks});
  if (const auto* d = std::get_if<DeltaNet>(&mixer))
    add({&d->qkv, &d->z, &d->alpha, &d->beta, &d->conv, &d->a, &d->dt_bias, &d->norm, &d->out});
}

void add_dense(const DenseFfn& f, auto add) {
  add({&f.gate, &f.up, &f.down, &f.gate_bias, &f.up_bias, &f.down_bias});
}

void add_ffn(const Ffn& ffn, auto add) {
  if (const auto* dense = std::get_if<DenseFfn>(&ffn)) return add_dense(*dense, add);
  const auto& f = std::get<MoeFfn>(ffn);
  add({&f.router, &f.router_bias, &f.router_norm, &f.expert_norm, &f.gate.weight, &f.gate.bias});
  if (f.up.weight.name != f.gate.weight.name) add({&f.up.weight});  // else fused
  add({&f.up.bias, &f.down.weight, &f.down.bias, &f.expert_scale, &f.shared_gate,
       &f.routed_post_norm, &f.shared_post_norm});
  if (f.shared) add_dense(*f.shared, add);
}

}  // namespace

std::vector<const Tensor*> tensors_of(const ModelDesc& desc) {
  std::vector<const Tensor*> all;
  const auto add = [&](std::initializer_list<const Tensor*> some) {
    for (const Tensor* t : some)
      if (*t) all.push_back(t);
  };
  add({&desc.embedding, &desc.per_layer.table, &desc.per_layer.projection, &desc.per_layer.norm});
  for (const Layer& layer : desc.layers) {
    add({&layer.mixer_norm, &layer.post_mixer_norm});
    add_mixer(layer.mixer, add);
    add({&layer.ffn_norm, &layer.post_ffn_norm});
    add_ffn(layer.ffn, add);
    const PerLayerInput& p = layer.per_layer_input;
    add({&p.gate, &p.out, &p.post_norm});
  }
  add({&desc.final_norm, &desc.head_bias});
  if (!desc.tied_head) add({&desc.head});
  return all;
}

}  // namespace plumb
