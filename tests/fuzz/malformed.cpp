#include "fuzz/malformed.h"

#include "support/model_shapes.h"
#include "support/tiny_model.h"

namespace plumb::test {

std::vector<Base> malformed_bases() {
  const TinyOptions gpt2{
      .n_layers = 1, .n_embd = 32, .n_heads = 4, .n_kv_heads = 2, .n_ff = 64, .n_context = 64};
  const TinyOptions spm{.n_layers = 2,
                        .n_embd = 32,
                        .n_heads = 4,
                        .n_kv_heads = 4,
                        .n_ff = 64,
                        .n_context = 64,
                        .head_dim = 16,
                        .matrices = Format::q4_0,
                        .embedding = Format::f16,
                        .head = Format::q8_0,
                        .tied = false,
                        .rope_freqs = true,
                        .biases = true,
                        .vocab = TinyVocab::spm,
                        .alignment = 64};
  // A recurrent layer, one of attention, one for further tokens.
  const ModelShape hybrid{.name = "hybrid",
                          .architecture = "qwen35moe",
                          .n_layers = 2,
                          .n_embd = 32,
                          .n_heads = 2,
                          .n_kv_heads = 1,
                          .head_dim = 16,
                          .n_context = 64,
                          .rope_dims = 8,
                          .n_experts = 4,
                          .n_used = 2,
                          .expert_ff = 24,
                          .shared_ff = 40,
                          .k_heads = 1,
                          .v_heads = 2,
                          .state_dim = 16,
                          .interval = 2,
                          .n_mtp = 1};
  gguf::Writer vocabulary;
  vocabulary.add("general.architecture", "llama");
  add_tiny_vocab(vocabulary, gpt2);
  return {{"gpt2", take_apart(tiny_llama(gpt2).bytes())},
          {"spm", take_apart(tiny_llama(spm).bytes())},
          {"vocabulary", take_apart(vocabulary.bytes())},
          {"hybrid", take_apart(random_model(hybrid).bytes()), true}};
}

void for_each_malformed(const Visit& visit) {
  for (const Base& base : malformed_bases()) {
    if (base.has_blocks) {  // the container is as in the others
      visit_blocks(base, visit);
      visit_sizes(base, visit);
      visit_shapes(base, visit);
      continue;
    }
    visit_fields(base, visit);
    visit_truncations(base, visit);
    visit_damage(base, visit);
    visit_pieces(base, visit);
    visit_vocabulary(base, visit);
    visit_large(base, visit);
    if (!base.has_weights()) continue;
    visit_sizes(base, visit);
    visit_shapes(base, visit);
  }
  visit_families(visit);
}

}  // namespace plumb::test
