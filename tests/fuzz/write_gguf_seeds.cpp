// Writes the files that fuzzing of GGUF starts from: small whole models and parts of them. Run:
// write_gguf_seeds FOLDER (made: tests/fuzz/corpus/gguf/seed-*).

#include <fmt/format.h>

#include <filesystem>

#include "base/file.h"
#include "fuzz/anatomy.h"
#include "support/tiny_model.h"

int main(int argc, char** argv) {
  using namespace plumb;
  using namespace plumb::test;
  if (argc != 2) return 2;
  const auto write = [&](const char* name, const std::string& bytes) {
    write_file(std::filesystem::path(argv[1]) / fmt::format("seed-{}", name), bytes);
  };
  const TinyOptions small{
      .n_layers = 1, .n_embd = 8, .n_heads = 2, .n_kv_heads = 1, .n_ff = 16, .n_context = 32};
  TinyOptions other = small;
  other.n_embd = other.n_ff = 32;
  other.matrices = other.embedding = other.head = Format::q4_0;
  other.tied = false;
  other.rope_freqs = other.biases = true;
  other.vocab = TinyVocab::spm;
  write("gpt2", tiny_llama(small).bytes());
  write("spm", tiny_llama(other).bytes());

  RawFile file = take_apart(tiny_llama(small).bytes());
  file.tensors.clear();
  write("vocabulary", put_together(file).bytes);
  for (const char* key :
       {"tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.ggml.merges"})
    file.remove_pair(key);
  write("keys", put_together(file).bytes);
  file.pairs.clear();
  write("empty", put_together(file).bytes);
  file.tensors = {{"a", {8}, 0, std::string(32, '\0'), {}},
                  {"b", {32, 2, 1, 1}, 2, std::string(36, '\0'), {}}};
  write("tensors", put_together(file).bytes);
}
