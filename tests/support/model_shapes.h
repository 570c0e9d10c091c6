#pragma once
// Random models of every family in any size: the tiny ones that tests compare with llama.cpp, and
// those with the exact shapes of published models, whose weights may be a hole in the file (for
// plans and accounts of memory). What a family has is written down once, in model_shapes.cpp.

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "formats/format.h"
#include "gguf/writer.h"

namespace plumb::test {

struct ModelShape {
  std::string name, architecture;
  int64_t n_layers = 0, n_embd = 0, n_heads = 0, n_kv_heads = 0, head_dim = 0;
  int64_t n_ff = 0;     // of a dense FFN; where there are experts only a key
  int64_t n_vocab = 0;  // at least; 0: as small as the tokenizer allows
  int64_t n_context = 4096;
  int64_t rope_dims = 0;  // 0: head_dim
  float eps = 1e-6f, rope_base = 1e6f;
  bool tied = false;
  std::string pre = "qwen2";
  // experts
  int64_t n_experts = 0, n_used = 0, expert_ff = 0, shared_ff = 0;
  bool fused_gate_up = false, expert_biases = false;
  // gated delta nets in all layers but every `interval`th
  int64_t k_heads = 0, v_heads = 0, state_dim = 128, interval = 4;
  bool names_recurrent_layers = false;  // writes attention.recurrent_layers too
  bool fused_qkv = false;               // of the attention layers
  int64_t n_mtp = 0;                    // extra blocks at the end that predict further tokens
  // attention and what is around it
  bool head_norms = true;
  bool qkv_biases = false;
  bool post_norms = false;                 // of what both branches add
  int64_t window = 0;                      // a key
  int64_t short_context = 0;               // longrope: the original context
  bool sinks = false, all_biases = false;  // all_biases: of every matrix of a layer
  std::string ffn_norm = "ffn_norm";
  // gemma4: layers slide but every `interval`th, those with heads of their own size; the last ones
  // share caches; slices of a second embedding
  int64_t sliding_head_dim = 0, sliding_kv_heads = 0, shared_kv_layers = 0, per_layer_width = 0;
  float expert_gain = 1;  // larger gates, so that clamps have something to do
  float qk_gain = 1;      // larger queries and keys, so that caps have something to do
  float embedding_gain = 1.5f;
  std::vector<std::pair<std::string, float>> numbers;  // more keys of the architecture
  std::vector<std::pair<std::string, int64_t>> sizes;
  std::vector<std::pair<std::string, std::string>> texts;
  // Adds a tokenizer to the file and returns its number of tokens; none: the one of tiny models.
  std::function<int64_t(gguf::Writer&)> tokenizer;
};

// Of every published size that tests speak of, and tiny-*.
const std::vector<ModelShape>& model_shapes();
const ModelShape& model_shape(const std::string& name);  // CHECKs that there is one

struct WeightTypes {
  Format matrices = Format::f32;  // where rows hold whole blocks of it; else Q8_0 or F32
  // The format of tensors whose names match, the last rule first; vectors and convolutions stay
  // F32.
  std::vector<std::pair<std::string, Format>> rules;  // regular expression, format
};

// With a tokenizer. Holes: no weights, see gguf::Writer::add_hole.
gguf::Writer random_model(const ModelShape& shape, const WeightTypes& types = {}, uint64_t seed = 1,
                          bool holes = false);

}  // namespace plumb::test
