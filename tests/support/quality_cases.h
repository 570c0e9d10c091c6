#pragma once
// Quantised models of the families, wide enough for every format: what rounding activations
// costs on them is compared with llama.cpp (tests/data/correctness/quality.json, made by
// tools/make_quality_reference.py from the files that write_tiny_models writes).

#include <string>
#include <utility>
#include <vector>

#include "support/model_shapes.h"
#include "support/tiny_cases.h"

namespace plumb::test {

struct QualityCase {
  std::string name;  // "qwen2-Q4_K"
  ModelShape shape;
  WeightTypes types;
  // Models that are averaged over: with experts one rounding may turn a choice.
  uint64_t n_seeds = 1;
  std::string held_to = name;  // the case whose cost of llama.cpp is the bound
};
inline void PrintTo(const QualityCase& c, std::ostream* to) {
  *to << c.name;
}

// A tiny dense model made wide enough for every format.
inline ModelShape wide(const char* tiny) {
  ModelShape shape = model_shape(tiny);
  shape.n_embd = 256;
  shape.n_ff = 512;
  shape.head_dim = shape.sliding_head_dim > 0 ? 128 : 64;
  shape.n_heads = 4;
  shape.embedding_gain = std::min(shape.embedding_gain, 1.5f);  // no token is certain
  if (shape.sliding_head_dim > 0) shape.sliding_head_dim = 64;
  return shape;
}

inline std::vector<QualityCase> quality_cases() {
  std::vector<QualityCase> cases;
  const auto add = [&](const ModelShape& shape, uint64_t n_seeds) {
    const std::string model = shape.name.substr(shape.name.find('-') + 1);
    for (const Format format : {Format::q8_0, Format::q4_0, Format::q4_k, Format::iq4_xs})
      cases.push_back({model + "-" + std::string(format_info(format).name),
                       shape,
                       {.matrices = format},
                       n_seeds});
  };
  for (const char* tiny : {"tiny-llama-yarn", "tiny-qwen2", "tiny-qwen3", "tiny-smollm3",
                           "tiny-phi", "tiny-gemma2", "tiny-gemma3", "tiny-gemma4"})
    add(wide(tiny), 1);
  // llama.cpp is far from itself with per-layer embeddings, which says nothing: held to its cost
  // without them.
  for (size_t i = cases.size() - 4, end = cases.size(); i < end; ++i) {
    QualityCase per_layer = cases[i];
    per_layer.shape = wide("tiny-gemma4-per-layer");
    per_layer.held_to = std::exchange(per_layer.name, "gemma4-per-layer" + cases[i].name.substr(6));
    cases.push_back(per_layer);
  }
  add(model_shape("small-qwen35"), 2);
  add(model_shape("small-qwen35moe"), 2);
  add(model_shape("small-qwen3moe"), 10);
  add(model_shape("small-mixtral"), 12);
  add(model_shape("small-gemma4-experts"), 12);
  cases.push_back({"gpt-oss-MXFP4",
                   model_shape("small-gpt-oss"),
                   {.matrices = Format::q8_0, .rules = {{"_exps", Format::mxfp4}}},
                   4});
  return cases;
}

inline constexpr int64_t kQualityIds = 160;
inline std::vector<int32_t> quality_ids(int64_t n_vocab) {
  return tiny_case_ids(n_vocab, kQualityIds);
}

inline gguf::Writer quality_model(const QualityCase& c, uint64_t seed) {
  return random_model(c.shape, c.types, seed);
}

// The same model with every weight decoded to f32.
gguf::Writer expanded(const gguf::File& file);

}  // namespace plumb::test
