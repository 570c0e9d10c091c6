// Reading the token arrays.
#include "text/vocabulary.h"

#include <cmath>

#include "base/error.h"
#include "base/text.h"

namespace plumb {
namespace {

constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
constexpr std::string_view kTypes = "tokenizer.ggml.token_type";
constexpr std::string_view kScores = "tokenizer.ggml.scores";

// True where the key is present; its length is checked before anything is copied out of the file.
bool has_array(const gguf::Metadata& metadata, std::string_view key, int64_t n_tokens) {
  const auto value = metadata.find(key);
  if (!value) return false;
  const auto* array = std::get_if<gguf::Array>(&*value);
  if (!array || array->size() != n_tokens)
    fail("[text] {}: {}: expected an array of {} elements, one for each of {}, got {}",
         metadata.file_name(), key, n_tokens, kTokens,
         array ? fmt::format("{} elements", array->size()) : "no array");
  return true;
}

}  // namespace

Vocabulary Vocabulary::load(const gguf::Metadata& metadata) {
  Vocabulary v;
  v.read_tokens(metadata);
  v.read_types(metadata);
  v.read_scores(metadata);
  return v;
}

void Vocabulary::read_tokens(const gguf::Metadata& metadata) {
  const auto texts = metadata.strings(kTokens);
  if (texts.size() < 1 || texts.size() > kMostTokens)
    fail("[text] {}: {}: expected 1 to {} tokens, got {}", metadata.file_name(), kTokens,
         kMostTokens, texts.size());
  size_t bytes = 0;
  for (const auto text : texts) bytes += text.size();
  if (bytes > StringTable::kMostBytes)
    fail("[text] {}: {}: expected at most {} bytes, got {}", metadata.file_name(), kTokens,
         StringTable::kMostBytes, bytes);
  const auto n = static_cast<size_t>(texts.size());
  texts_ = StringTable(n, bytes);
  for (const auto text : texts)
    if (const auto twin = texts_.add(text))
      fail("[text] {}: {}: expected every token once, got {} as token {} and as token {}",
           metadata.file_name(), kTokens, quoted(text), *twin, size());
  types_.assign(n, TokenType::normal);
  hidden_.assign(n, false);
}

void Vocabulary::read_types(const gguf::Metadata& metadata) {
  if (!has_array(metadata, kTypes, size())) return;
  const auto types = metadata.integers_or_empty(kTypes);
  for (size_t i = 0; i < types.size(); ++i) {
    if (types[i] < 1 || types[i] > 6)
      fail("[text] {}: {}: expected a type of 1..6 for token {}, got {}", metadata.file_name(),
           kTypes, i, types[i]);
    types_[i] = static_cast<TokenType>(types[i]);
    hidden_[i] = types_[i] == TokenType::control || types_[i] == TokenType::unknown;
  }
}

void Vocabulary::read_scores(const gguf::Metadata& metadata) {
  if (!has_array(metadata, kScores, size())) return;
  const auto scores = metadata.numbers_or_empty(kScores);
  scores_.reserve(scores.size());
  for (const double score : scores) scores_.push_back(static_cast<float>(score));
}

std::optional<int32_t> Vocabulary::find_text(std::string_view key) const {
  const auto id = find(key);
  return id && is_text(*id) ? id : std::nullopt;
}

}  // namespace plumb
