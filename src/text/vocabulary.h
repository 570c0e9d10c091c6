#pragma once
// The tokens of a file: text, type and score by id, and the id by text. It owns copies, so that it
// outlives the mapped file; the memory is in proportion to the file's own arrays
// (tokenizer.ggml.tokens, token_type, scores).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/gguf.h"

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
  // Error names file, key, id: arrays of different lengths, types outside 1..6, scores that are not
  // finite, a token twice.
  static Vocabulary load(const gguf::Metadata& metadata);

  int32_t size() const { return static_cast<int32_t>(types_.size()); }
  std::string_view text(int32_t id) const {
    const auto i = static_cast<size_t>(id);
    return std::string_view(texts_).substr(offsets_[i], offsets_[i + 1] - offsets_[i]);
  }
  TokenType type(int32_t id) const { return types_[static_cast<size_t>(id)]; }
  float score(int32_t id) const {
    return scores_.empty() ? 0.0f : scores_[static_cast<size_t>(id)];
  }

  // Empty tokens (padding in some files) are never found.
  std::optional<int32_t> find(std::string_view text) const;

  // Tokens that text may become, and that come back as text: all but those that the file itself
  // calls control or unknown.
  bool is_text(int32_t id) const { return !hidden_[static_cast<size_t>(id)]; }
  std::optional<int32_t> find_text(std::string_view text) const;

  void set_type(int32_t id, TokenType type) { types_[static_cast<size_t>(id)] = type; }
  size_t longest() const { return longest_; }  // bytes

 private:
  void read_tokens(const gguf::Metadata& metadata);
  void read_types(const gguf::Metadata& metadata);
  void read_scores(const gguf::Metadata& metadata);
  void build_index(const gguf::Metadata& metadata);

  std::string texts_;              // all texts, one after another
  std::vector<uint64_t> offsets_;  // [size + 1] into texts_
  std::vector<TokenType> types_;   // [size]
  std::vector<bool> hidden_;       // [size] control or unknown in the file
  std::vector<float> scores_;      // [size] or none
  struct Slot {
    uint32_t tag = 0;  // of the hash, so that most mismatches end here
    int32_t id = -1;   // -1: free
  };
  std::vector<Slot> slots_;  // open addressing by text
  size_t longest_ = 0;
};

}  // namespace plumb
