#include "fuzz/malformed.h"

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
  gguf::Writer vocabulary;
  vocabulary.add("general.architecture", "llama");
  add_tiny_vocab(vocabulary, gpt2);
  return {{"gpt2", take_apart(tiny_llama(gpt2).bytes())},
          {"spm", take_apart(tiny_llama(spm).bytes())},
          {"vocabulary", take_apart(vocabulary.bytes())}};
}

void for_each_malformed(const Visit& visit) {
  for (const Base& base : malformed_bases()) {
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
