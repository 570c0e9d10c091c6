#pragma once
// Tiny models that differ in what a file may contain; llama.cpp's logits for each are test
// data (tests/data/correctness/tiny, made by tools/make_tiny_reference.py from the files that
// write_tiny_models writes).

#include <ostream>
#include <string>
#include <vector>

#include "support/model_shapes.h"
#include "support/tiny_model.h"

namespace plumb::test {

struct TinyCase {
  std::string name;
  TinyOptions options;
  float linear_rope_factor = 0;  // 0: no scaling
  std::string shape = {};        // of model_shapes() instead of the options
  double bound = 1e-4;           // of the difference from llama.cpp's logits
};

inline void PrintTo(const TinyCase& c, std::ostream* to) {
  *to << c.name;
}

inline std::vector<TinyCase> tiny_cases() {
  std::vector<TinyCase> cases = {
      {"plain", {.seed = 11}},
      {"llama3",
       {.n_heads = 4,
        .n_kv_heads = 1,
        .head_dim = 32,
        .tied = false,
        .rope_freqs = true,
        .rope_base = 500000,
        .seed = 12}},
      {"biases", {.n_layers = 3, .n_heads = 2, .n_kv_heads = 2, .biases = true, .seed = 13}},
      {"linear_rope", {.vocab = TinyVocab::spm, .seed = 14}, 4},
  };
  const auto shape = [&](const char* name, const char* of, double bound) {
    TinyCase& c = cases.emplace_back();
    c.name = name;
    c.shape = of;
    c.bound = bound;
  };
  // Bounds: twice the distance that an exact evaluation has to llama.cpp.
  shape("qwen3moe", "tiny-qwen3moe", 3.4e-4);
  shape("llama_yarn", "tiny-llama-yarn", 1e-4);
  shape("mixtral", "tiny-mixtral", 3.4e-4);
  shape("qwen2", "tiny-qwen2", 5.4e-5);
  shape("qwen2_yarn", "tiny-qwen2-yarn", 5.4e-5);
  shape("qwen2_fused", "tiny-qwen2-fused", 5.4e-5);
  shape("qwen3", "tiny-qwen3", 1.14e-4);
  shape("qwen3_yarn", "tiny-qwen3-yarn", 1.14e-4);
  shape("smollm3", "tiny-smollm3", 3e-5);
  shape("phi3", "tiny-phi", 1.44e-4);
  shape("phi3_longrope_long", "tiny-phi-longrope-32", 6e-5);
  shape("phi3_longrope_short", "tiny-phi-longrope-256", 6e-5);
  shape("gemma2", "tiny-gemma2", 9e-3);
  shape("gemma3", "tiny-gemma3", 5.6e-3);
  shape("gemma4", "tiny-gemma4", 6e-3);
  shape("gemma4_per_layer", "tiny-gemma4-per-layer", 6e-3);
  shape("gemma4_experts", "tiny-gemma4-experts", 6e-3);
  shape("gpt_oss", "tiny-gpt-oss", 4.4e-4);
  shape("qwen35", "tiny-qwen35", 5e-4);
  shape("qwen35_untied", "tiny-qwen35-untied", 5e-4);
  shape("qwen35_mtp", "tiny-qwen35-mtp", 5e-4);
  shape("qwen35moe", "tiny-qwen35moe", 5e-4);
  shape("qwen35moe_fused", "tiny-qwen35moe-fused", 5e-4);
  return cases;
}

inline gguf::Writer tiny_case_model(const TinyCase& c) {
  if (!c.shape.empty()) return random_model(model_shape(c.shape));
  gguf::Writer writer = tiny_llama(c.options);
  if (c.linear_rope_factor > 0) {
    writer.add("llama.rope.scaling.type", "linear");
    writer.add("llama.rope.scaling.factor", c.linear_rope_factor);
  }
  return writer;
}

// The tokens that every case is run on.
inline std::vector<int32_t> tiny_case_ids(int64_t n_vocab, int64_t n = 80) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < n; ++i)
    ids.push_back(static_cast<int32_t>((i * i * 31 + i * 17 + 5) % n_vocab));
  return ids;
}

}  // namespace plumb::test
