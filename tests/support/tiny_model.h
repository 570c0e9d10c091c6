#pragma once
// Small random models of the family llama, whole: hyper-parameters, a tokenizer that works, all
// tensors. For tests of everything that needs a model and not a good one. Deterministic: the same
// options give the same bytes.

#include <cstdint>
#include <string>

#include "formats/format.h"
#include "gguf/writer.h"

namespace plumb::test {

enum class TinyVocab {
  gpt2,  // byte-level BPE with a few merges; pre-tokenizer as asked for
  spm    // SentencePiece-style with byte fallback
};

struct TinyOptions {
  int64_t n_layers = 2, n_embd = 64, n_heads = 4, n_kv_heads = 2, n_ff = 128, n_context = 256;
  int64_t head_dim = 0;  // 0: n_embd / n_heads; otherwise written as key_length and value_length
  Format matrices = Format::f32;  // projections and FFN
  Format embedding = Format::f32;
  Format head = Format::f32;  // of output.weight, where the head is not tied
  bool tied = true;
  bool rope_freqs = false;  // Llama 3's rope factors
  bool biases = false;      // of q, k, v and output
  float rope_base = 10000;
  TinyVocab vocab = TinyVocab::gpt2;
  std::string pre = "smollm";
  bool chat_template = true;  // ChatML
  float final_norm = 1;       // mean of the last norm's weights; NaN: a model of no numbers
  int64_t n_padding = 0;      // unused tokens at the end of the vocabulary
  uint32_t alignment = 32;
  uint64_t seed = 1;
};

// The model in a writer: add keys or tensors, take bytes() or write(path).
gguf::Writer tiny_llama(const TinyOptions& options = {});

// Just its tokenizer keys. Returns the number of tokens.
int64_t add_tiny_vocab(gguf::Writer& writer, const TinyOptions& options);

}  // namespace plumb::test
