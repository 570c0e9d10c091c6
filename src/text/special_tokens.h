#pragma once
// Which tokens have a role: begin and end of text, end of a generation, never sampled. Files name
// some of them by key and leave the rest to be known by their text, as the runtimes that made these
// files do.

#include <cstdint>
#include <optional>
#include <vector>

#include "gguf/gguf.h"
#include "text/vocabulary.h"

namespace plumb {

// What a file means when it does not say.
struct SpecialDefaults {
  bool add_bos = false;
  bool always_bos = false;  // whatever the file says (gemma4: conversions with a false value are
                            // known to be wrong)
  std::optional<int32_t> bos, eos, unknown;
};

struct SpecialTokens {
  std::optional<int32_t> bos, eos, unknown;
  bool add_bos = false, add_eos = false;
  std::vector<int32_t> end;         // sorted: each ends a generation
  std::vector<int32_t> suppressed;  // sorted: never to be sampled
  std::vector<int32_t> swallowing;  // sorted: white space right behind them is dropped
};

// Reads tokenizer.ggml.*_token_id and the texts known to have a role. Tokens whose role is plain
// from their text get the type it asks for in `vocabulary` (files often mark an end of turn as
// ordinary text). Error: an id outside the vocabulary.
SpecialTokens read_special_tokens(const gguf::Metadata& metadata, const SpecialDefaults& defaults,
                                  Vocabulary& vocabulary);

}  // namespace plumb
