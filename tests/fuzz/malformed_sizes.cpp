// Files whose container is right and whose sizes are not: hyper-parameters, and tensors against
// them.

#include "formats/format.h"
#include "fuzz/edits.h"

namespace plumb::test {
namespace {

using gguf::ValueType;

std::vector<Value> not_numbers() {
  using enum ValueType;
  return {number(f32, std::nanf("")),
          number(f32, std::numeric_limits<float>::infinity()),
          number(f64, -std::numeric_limits<double>::infinity()),
          {"true", boolean, "\1"},
          {"a string", string, bytes_of(uint64_t{4}) + "1e-5"},
          list(f32, 1, bytes_of(1e-5f))};
}

// Sizes that the tensors' shapes contradict when they change.
constexpr const char* kFixedSizes[] = {
    "block_count",          "embedding_length",        "feed_forward_length",
    "attention.head_count", "attention.head_count_kv", "vocab_size",
    "attention.key_length", "attention.value_length"};

void visit_integer_sizes(const Edits& edits) {
  for (const char* name : kFixedSizes) {
    const std::string key = edits.architecture() + "." + name;
    if (!edits.has(key)) continue;
    const uint64_t now = edits.number_of(key);
    edits.set_all(key, not_integers(), Refusal::by_model);
    edits.set_all(key, absurd_integers(now), Refusal::by_model);
    edits.set_all(key, other_integers(now), Refusal::by_model);
  }
  for (const char* name : {"context_length", "rope.dimension_count"}) {
    const std::string key = edits.architecture() + "." + name;
    edits.set_all(key, not_integers(), Refusal::by_model);
    edits.set_all(key, other_integers(edits.number_of(key)), Refusal::not_required);
    for (const Value& value : absurd_integers(edits.number_of(key)))
      edits.set(key, value,
                value.bytes == bytes_of(0x7fffffffu) ? Refusal::not_required : Refusal::by_model);
  }
}

void visit_numbers(const Edits& edits) {
  using enum ValueType;
  for (const char* name : {"attention.layer_norm_rms_epsilon", "rope.freq_base"}) {
    const std::string key = edits.architecture() + "." + name;
    edits.set_all(key, not_numbers(), Refusal::by_model);
    edits.set_all(key, {number(f32, 0.0f), number(f32, -1.0f), number(i32, -1), number(f64, 1e300)},
                  Refusal::by_model);
    edits.set_all(
        key, {number(f32, 1e-45f), number(f32, 3e38f), number(u32, 1u), number(u64, ~uint64_t{0})},
        Refusal::not_required);
  }
}

void visit_architecture(const Edits& edits) {
  const std::string key = "general.architecture";
  edits.set_all(key, not_integers(), Refusal::by_model);
  for (const std::string& name :
       {std::string("LLAMA"), std::string("llama\0", 6), std::string("llama\n"),
        std::string("\x1b[2J"), std::string("../llama"), std::string(1 << 20, 'x')})
    edits.add(fmt::format("{} = {} bytes", key, name.size()), Refusal::by_model,
              [&](RawFile& f) { f.set_string(key, name); });
  edits.add("no " + key, Refusal::by_model, [&](RawFile& f) { f.remove_pair(key); });
  for (const char* name :
       {"block_count", "context_length", "embedding_length", "feed_forward_length",
        "attention.head_count", "attention.layer_norm_rms_epsilon"}) {
    const std::string required = edits.architecture() + "." + name;
    if (!edits.has(required)) continue;
    edits.add("no " + required, Refusal::by_model, [&](RawFile& f) { f.remove_pair(required); });
  }
}

}  // namespace

void visit_sizes(const Base& base, const Visit& visit) {
  const Edits edits(base, visit);
  visit_integer_sizes(edits);
  visit_numbers(edits);
  visit_architecture(edits);
}

void visit_shapes(const Base& base, const Visit& visit) {
  const Edits edits(base, visit);
  for (size_t i = 0; i < base.file.tensors.size(); ++i) {
    const RawTensor& t = base.file.tensors[i];
    if (t.name.starts_with("blk.2.")) continue;  // left out, whatever it is
    const bool optional =
        t.name == "output.weight" || t.name == "rope_freqs.weight" || t.name.ends_with("bias");
    edits.add(t.name + " missing", optional ? Refusal::not_required : Refusal::by_model,
              [&](RawFile& f) { f.remove_tensor(t.name); });
    edits.add(t.name + " twice as deep", Refusal::by_model, [&](RawFile& f) {
      f.tensors[i].ne.resize(3, 1);
      f.tensors[i].ne[2] = 2;
      f.tensors[i].data += t.data;
    });
    edits.add(t.name + " with one row more", Refusal::by_model, [&](RawFile& f) {
      f.tensors[i].ne.resize(2, 1);
      ++f.tensors[i].ne[1];
      f.tensors[i].data += t.data.substr(0, t.data.size() / t.ne.back());
      f.tensors[i].data.resize(t.data.size() + t.data.size(), '\0');
    });
    edits.add(t.name + " as a scalar", Refusal::by_model,
              [&](RawFile& f) { f.tensors[i].ne.clear(), f.tensors[i].type = 0; });
    if (t.ne.size() == 2 && t.ne[0] != t.ne[1] && t.type == 0)
      edits.add(t.name + " transposed", Refusal::by_model,
                [&](RawFile& f) { std::swap(f.tensors[i].ne[0], f.tensors[i].ne[1]); });
    edits.add(t.name + " full of ones", Refusal::not_required,
              [&](RawFile& f) { f.tensors[i].data.assign(t.data.size(), '\xff'); });
    for (const FormatInfo& format : all_formats()) {
      if (t.ne[0] % static_cast<uint64_t>(format.block_elems) != 0) continue;
      edits.add(fmt::format("{} as {}", t.name, format.name),
                format.decode ? Refusal::not_required : Refusal::by_model, [&](RawFile& f) {
                  uint64_t n = 1;
                  for (const uint64_t dim : t.ne) n *= dim;
                  f.tensors[i].type = static_cast<uint32_t>(format.format);
                  f.tensors[i].data.assign(
                      static_cast<size_t>(format_bytes(format.format, static_cast<int64_t>(n))),
                      '\x11');
                });
    }
  }
}

}  // namespace plumb::test
