#pragma once
// The tokens of a file: text, type and score by id, and the id by text (tokenizer.ggml.tokens,
// token_type, scores). It owns copies, so that it outlives the mapped file.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "gguf/gguf.h"
#include "text/string_table.h"

namespace plumb {

enum class TokenType : uint8_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

class Vocabulary {
 public:
  // The largest vocabularies have 260,000 tokens. A bound keeps the tables, of which a short token
  // needs more than its bytes, small.
  static constexpr int64_t kMostTokens = 1'000'000;

  // Error names file, key, id: too many tokens, arrays of different lengths, types outside 1..6,
  // scores that are not finite, a token twice.
  static Vocabulary load(const gguf::Metadata& metadata);

  int32_t size() const { return texts_.size(); }
  std::string_view text(int32_t id) const { return texts_.text(id); }
  TokenType type(int32_t id) const { return types_[static_cast<size_t>(id)]; }
  float score(int32_t id) const {
    return scores_.empty() ? 0.0f : scores_[static_cast<size_t>(id)];
  }

  // Empty tokens (padding in some files) are never found.
  std::optional<int32_t> find(std::string_view text) const { return texts_.find(text); }

  // Tokens that text may become, and that come back as text: all but those that the file itself
  // calls control or unknown.
  bool is_text(int32_t id) const { return !hidden_[static_cast<size_t>(id)]; }
  std::optional<int32_t> find_text(std::string_view text) const;

  void set_type(int32_t id, TokenType type) { types_[static_cast<size_t>(id)] = type; }

 private:
  void read_tokens(const gguf::Metadata& metadata);
  void read_types(const gguf::Metadata& metadata);
  void read_scores(const gguf::Metadata& metadata);

  StringTable texts_;             // by id
  std::vector<TokenType> types_;  // [size]
  std::vector<bool> hidden_;      // [size] control or unknown in the file
  std::vector<float> scores_;     // [size] or none
};

}  // namespace plumb
