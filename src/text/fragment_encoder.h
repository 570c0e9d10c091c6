#pragma once
// The three ways of turning text between special tokens into ids. Immutable; what a call needs to
// write is in Encoding.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/gguf.h"
#include "text/piece_cache.h"
#include "text/pre_tokenizer.h"
#include "text/symbol_merger.h"
#include "text/vocabulary.h"

namespace plumb {

// One text being encoded.
struct Encoding {
  explicit Encoding(std::string_view text) : source(text), cache(text.size()) {}

  std::string_view source;   // the whole text; fragments are parts of it
  std::vector<int32_t> ids;  // the result
  std::string marked;   // fragments with marks for spaces, one after another, where the vocabulary
                        // wants them
  std::string spelled;  // one piece in the byte alphabet
  PieceCache cache;
  SymbolMerger merger;
};

class FragmentEncoder {
 public:
  virtual ~FragmentEncoder() = default;
  // fragment: not empty, a part of encoding.source. Any bytes.
  virtual void encode(std::string_view fragment, Encoding& encoding) const = 0;
};

// Byte-level BPE: pieces of a pre-tokenizer, spelled in the byte alphabet, merged by rank.
std::unique_ptr<FragmentEncoder> make_byte_bpe(const gguf::Metadata& metadata,
                                               const Vocabulary& vocabulary,
                                               const PreTokenizerRule& rule);
// gemma4: BPE on characters, spaces marked, lines apart, byte tokens for what the vocabulary lacks.
std::unique_ptr<FragmentEncoder> make_line_bpe(const gguf::Metadata& metadata,
                                               const Vocabulary& vocabulary,
                                               const PreTokenizerRule& rule);
// SentencePiece-style: characters, spaces marked, pairs that are tokens merged by score, byte
// tokens or `unknown` for the rest.
std::unique_ptr<FragmentEncoder> make_sentence_piece(const Vocabulary& vocabulary,
                                                     bool add_space_prefix,
                                                     std::optional<int32_t> unknown);

}  // namespace plumb
