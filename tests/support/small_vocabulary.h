#pragma once
// Small vocabularies that work, of every kind, for tests of tokenizers: trained merges
// (tests/data/tokenizer), all bytes, and special tokens that get in each other's way.

#include <ostream>
#include <string>
#include <vector>

#include "gguf/gguf.h"
#include "gguf/writer.h"

namespace plumb::test {

struct SmallVocabulary {
  std::string model = "gpt2";  // or "llama", "gemma4"
  std::string pre = "gpt-2";   // of gpt2
  bool space_prefix = true;    // of llama
  bool marks_inside = false;   // of llama and gemma4: tokens with a space inside
  bool all_cuts =
      false;  // merges of gpt2 made from ranks, as for tokenizers that come without merges
  bool special = true;                // the tokens that get in each other's way
  std::vector<std::string> controls;  // more control tokens: those of a chat template
};

std::vector<std::string> read_lines(const std::string& name);  // of tests/data/tokenizer

// Adds the tokenizer's keys to a file. Returns the number of tokens.
int64_t add_small_vocabulary(gguf::Writer& writer, const SmallVocabulary& options);
// A file with a vocabulary and no model.
gguf::Writer small_vocabulary(const SmallVocabulary& options);
gguf::File open_file(const gguf::Writer& writer);  // from memory

// All vocabularies whose ids are compared with reference data.
struct NamedVocabulary {
  std::string name;
  SmallVocabulary options;
  friend std::ostream& operator<<(std::ostream& out, const NamedVocabulary& v) {
    return out << v.name;
  }
};
std::vector<NamedVocabulary> reference_vocabularies();

}  // namespace plumb::test
