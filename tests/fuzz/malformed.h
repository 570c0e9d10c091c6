#pragma once
// Thousands of malformed GGUF files, the same ones every time: small models with one thing wrong in
// each. What is certainly wrong says by which stage at the latest it must be refused; for the rest
// (a flipped byte may change a weight) it only matters that nothing crashes, hangs or grows.

#include <functional>
#include <string>
#include <vector>

#include "fuzz/anatomy.h"

namespace plumb::test {

enum class Refusal {
  at_open,       // gguf::File
  by_model,      // gguf::File or load_model_desc
  by_tokenizer,  // gguf::File or Tokenizer::load
  not_required
};

struct Malformed {
  std::string what;  // "gpt2: key length of llama.block_count = 0"
  std::string bytes;
  Refusal refusal;
  bool has_weights;  // false: made from a vocabulary-only file
};
using Visit = std::function<void(const Malformed&)>;

// A valid file to start from.
struct Base {
  std::string name;
  RawFile file;
  bool has_blocks = false;  // experts and recurrent layers
  bool has_weights() const { return !file.tensors.empty(); }
};
std::vector<Base> malformed_bases();

// Everything, in a fixed order.
void for_each_malformed(const Visit& visit);

// One of each, by what is wrong.
void visit_fields(const Base& base, const Visit& visit);       // every number of the structure
void visit_truncations(const Base& base, const Visit& visit);  // at every border
void visit_damage(const Base& base, const Visit& visit);       // flips, deletions, insertions
void visit_pieces(const Base& base, const Visit& visit);       // keys and tensors twice or missing
void visit_sizes(const Base& base, const Visit& visit);        // hyper-parameters
void visit_blocks(const Base& base, const Visit& visit);       // of experts and recurrent layers
void visit_shapes(const Base& base, const Visit& visit);       // tensors against hyper-parameters
void visit_vocabulary(const Base& base, const Visit& visit);   // tokenizer keys
void visit_large(const Base& base, const Visit& visit);        // much of something small
void visit_families(const Visit& visit);                       // keys of every family

// Puts an edited copy of the base together and visits it.
template <typename Edit>
void visit_edited(const Base& base, const std::string& what, Refusal refusal, const Visit& visit,
                  Edit edit) {
  RawFile file = base.file;
  edit(file);
  visit({base.name + ": " + what, put_together(file).bytes, refusal, base.has_weights()});
}

}  // namespace plumb::test
