#pragma once
// Text to token ids and back. One Tokenizer per model file; immutable after load, independent of
// the file, and safe to share between threads. Sources: byte-level BPE (Radford et al. 2019),
// SentencePiece (Kudo 2018); which rules a file means is said by its tokenizer.ggml.* keys.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/gguf.h"
#include "text/vocabulary.h"

namespace plumb {

struct EncodeOptions {
  bool add_bos = true;        // put BOS (and EOS) where the file asks for them
  bool parse_special = true;  // match control tokens in the text; off for text from users, so that
                              // they cannot inject one
  std::span<const size_t> borders = {};  // rising offsets in the text that no special token
                                         // crosses: the same for users' text within a larger one
};

class Tokenizer {
 public:
  static constexpr size_t kMaxText = size_t{1} << 30;  // bytes in one call

  // Reads tokenizer.ggml.*; Error names file, key, expected, got; an unknown model or pre-tokenizer
  // is refused by name.
  static std::unique_ptr<Tokenizer> load(const gguf::Metadata& metadata);
  ~Tokenizer();

  // Any bytes are valid input; ill-formed UTF-8 comes back byte for byte from decode. Error: more
  // than kMaxText bytes.
  std::vector<int32_t> encode(std::string_view text, const EncodeOptions& options = {}) const;

  // The bytes of one token as they appear in text. Control tokens give nothing unless asked for.
  std::string piece(int32_t id, bool show_control = false) const;
  // The bytes of all: the inverse of encode, but for control tokens that are not shown, and U+2581
  // in vocabularies that write spaces with it. The space that some vocabularies put before text
  // (adds_space_prefix) is taken out again. Error: an id out of range.
  std::string decode(std::span<const int32_t> ids, bool show_control = false) const;

  int32_t n_tokens() const;
  std::string_view token_text(int32_t id) const;  // as stored in the vocabulary
  TokenType token_type(int32_t id) const;
  std::optional<int32_t> find(std::string_view token_text) const;
  std::optional<int32_t> bos() const;
  std::optional<int32_t> eos() const;
  bool adds_bos() const;
  bool adds_eos() const;
  bool adds_space_prefix() const;               // before text at the start and after special tokens
  bool is_end(int32_t id) const;                // ends a generation (EOS, end of turn, ...)
  std::span<const int32_t> end_tokens() const;  // sorted
  std::span<const int32_t> suppressed() const;  // sorted; never to be sampled
  std::string_view model() const;               // "gpt2", "llama", "gemma4"
  std::string_view pre() const;                 // pre-tokenizer name, "" where there is none

 private:
  friend class StreamDecoder;
  struct Parts;
  explicit Tokenizer(std::unique_ptr<const Parts> parts);

  // Appends the token's bytes; `at_start`: at the start or after a special token, where a prefixed
  // space is dropped. Kept up to date.
  void append_piece(int32_t id, bool show_control, bool& at_start, std::string& out) const;

  std::unique_ptr<const Parts> parts_;
};

// Turns a stream of ids into a stream of text that never ends inside a UTF-8 character. A byte that
// can never become one is passed on as it is when flushed or followed by something that proves it.
class StreamDecoder {
 public:
  // prompt: the ids that the stream continues, if any; only the last one matters, to a space
  // prefix.
  explicit StreamDecoder(const Tokenizer& tokenizer, bool show_control = false,
                         std::span<const int32_t> prompt = {});
  std::string add(int32_t id);  // the text that is complete now, possibly empty
  std::string flush();          // what is left at the end

 private:
  const Tokenizer* tokenizer_;
  bool show_control_;
  bool at_start_ = true;
  std::string pending_;
};

}  // namespace plumb
