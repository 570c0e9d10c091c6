// Files of every family whose hyper-parameters or tensors do not fit: whatever a key of the family
// says, the file is refused or harmless.

#include "fuzz/edits.h"
#include "support/model_shapes.h"

namespace plumb::test {
namespace {

using gguf::ValueType;

std::vector<Value> wrong_numbers(const RawPair& pair) {
  using enum ValueType;
  if (pair.type == static_cast<uint32_t>(f32))
    return {number(f32, std::nanf("")), number(f32, std::numeric_limits<float>::infinity()),
            number(f32, 0.0f),          number(f32, -1.0f),
            number(f32, 1e-45f),        number(f32, 3e38f),
            number(f32, 1.0f),          {"a string", string, bytes_of(uint64_t{2}) + "32"}};
  uint64_t now = 0;
  std::memcpy(&now, pair.value.data(), std::min(pair.value.size(), sizeof now));
  return {number(u32, 0u),
          number(i32, -1),
          number(u32, 1u),
          number(u32, static_cast<uint32_t>(now + 1)),
          number(u32, static_cast<uint32_t>(2 * now)),
          number(u32, 0x7fffffffu),
          number(u32, 0xffffffffu),
          number(u64, (uint64_t{1} << 32) + now),
          number(u64, uint64_t{1} << 63),
          number(f32, std::nanf("")),
          {"a string", string, bytes_of(uint64_t{2}) + "32"},
          list(u32, 1000, std::string(4000, '\0'))};
}

std::vector<Value> wrong_arrays(uint64_t n) {
  using enum ValueType;
  const auto all = [&](uint64_t count, uint32_t value) {
    std::string elements;
    for (uint64_t i = 0; i < count; ++i) elements += bytes_of(value);
    return list(u32, count, elements);
  };
  return {list(u32, 0, ""),
          all(n - 1, 1),
          all(n + 1, 1),
          all(n, 0),
          all(n, 0xffffffff),
          all(n, 0x7fffffff),
          all(n, 1),
          all(n, 3),
          list(boolean, n, std::string(n, '\1')),
          list(boolean, n, std::string(n, '\7')),
          list(boolean, n + 1, std::string(n + 1, '\0')),
          list(f32, n, std::string(4 * n, '\x7f')),
          number(u32, 1u)};
}

std::vector<Value> wrong_strings() {
  using enum ValueType;
  const auto text = [](const std::string& s) {
    return Value{fmt::format("{} bytes", s.size()), string, bytes_of(uint64_t{s.size()}) + s};
  };
  return {text(""),
          text("none"),
          text("linear"),
          text("yarn"),
          text("longrope"),
          text("dynamic\n"),
          text(std::string(10000, 'x')),
          number(u32, 1u)};
}

void visit_keys(const Base& base, const std::string& prefix, uint64_t n_layers,
                const Visit& visit) {
  const Edits edits(base, visit);
  for (const RawPair& pair : base.file.pairs) {
    if (!pair.key.starts_with(prefix)) continue;
    edits.add("no " + pair.key, Refusal::not_required,
              [&](RawFile& f) { f.remove_pair(pair.key); });
    const auto type = static_cast<ValueType>(pair.type);
    const bool is_array = type == ValueType::array;
    edits.set_all(pair.key,
                  is_array                    ? wrong_arrays(n_layers)
                  : type == ValueType::string ? wrong_strings()
                                              : wrong_numbers(pair),
                  Refusal::not_required);
  }
}

// Keys that the family knows and the file does not have.
void visit_new_keys(const Base& base, const std::string& prefix, uint64_t n_layers,
                    const Visit& visit) {
  using enum ValueType;
  const Edits edits(base, visit);
  edits.set_all(prefix + "rope.scaling.type", wrong_strings(), Refusal::not_required);
  edits.set(prefix + "rope.scaling.type", {"unknown", string, bytes_of(uint64_t{7}) + "dynamic"},
            Refusal::by_model);
  edits.set_all(prefix + "attention.sliding_window_pattern", wrong_arrays(n_layers),
                Refusal::not_required);
  for (const char* key :
       {"attention.sliding_window", "attention.shared_kv_layers",
        "embedding_length_per_layer_input", "expert_count", "rope.scaling.original_context_length",
        "rope.scaling.factor", "attn_logit_softcapping", "final_logit_softcapping",
        "rope.freq_base_swa", "pooling_type"})
    edits.set_all(prefix + key,
                  {number(u32, 0u), number(u32, 1u), number(u32, 0xffffffffu),
                   number(f32, std::nanf("")), number(f32, -1.0f)},
                  Refusal::not_required);
}

void visit_tensors(const Base& base, const Visit& visit) {
  const Edits edits(base, visit);
  for (size_t i = 0; i < base.file.tensors.size(); ++i) {
    const RawTensor& t = base.file.tensors[i];
    edits.add(t.name + " missing", Refusal::not_required,
              [&](RawFile& f) { f.remove_tensor(t.name); });
    edits.add(t.name + " full of ones", Refusal::not_required,
              [&](RawFile& f) { f.tensors[i].data.assign(t.data.size(), '\xff'); });
    edits.add(t.name + " twice as wide", Refusal::by_model, [&](RawFile& f) {
      f.tensors[i].ne[0] *= 2;
      f.tensors[i].data += t.data;
    });
  }
}

}  // namespace

void visit_families(const Visit& visit) {
  for (const char* name : {"tiny-qwen2-yarn", "tiny-phi-longrope-256", "tiny-gemma2", "tiny-gemma3",
                           "tiny-gemma4-per-layer", "tiny-gemma4-experts", "tiny-gpt-oss",
                           "tiny-qwen3moe", "tiny-mixtral", "tiny-smollm3"}) {
    ModelShape shape = model_shape(name);
    shape.n_layers = std::min<int64_t>(shape.n_layers, 4);
    if (shape.shared_kv_layers > 0) shape.shared_kv_layers = shape.interval = 1;
    const Base base{name, take_apart(random_model(shape).bytes())};
    const std::string prefix = shape.architecture + ".";
    const auto n_layers = static_cast<uint64_t>(shape.n_layers);
    visit_keys(base, prefix, n_layers, visit);
    visit_new_keys(base, prefix, n_layers, visit);
    visit_tensors(base, visit);
  }
}

}  // namespace plumb::test
