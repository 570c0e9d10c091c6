// Reading the token arrays, and the index by text.
#include "text/vocabulary.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "text/hash.h"

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
  v.build_index(metadata);
  return v;
}

void Vocabulary::read_tokens(const gguf::Metadata& metadata) {
  const auto texts = metadata.strings(kTokens);
  if (texts.empty() || texts.size() > static_cast<size_t>(INT32_MAX))
    fail("[text] {}: {}: expected 1 to {} tokens, got {}", metadata.file_name(), kTokens, INT32_MAX,
         texts.size());
  size_t bytes = 0;
  for (const auto text : texts) bytes += text.size();
  texts_.reserve(bytes);
  offsets_.reserve(texts.size() + 1);
  offsets_.push_back(0);
  for (const auto text : texts) {
    texts_ += text;
    offsets_.push_back(texts_.size());
    longest_ = std::max(longest_, text.size());
  }
  types_.assign(texts.size(), TokenType::normal);
  hidden_.assign(texts.size(), false);
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

void Vocabulary::build_index(const gguf::Metadata& metadata) {
  slots_.assign(table_slots(types_.size()), Slot{});
  const size_t mask = slots_.size() - 1;
  for (int32_t id = 0; id < size(); ++id) {
    const auto key = text(id);
    if (key.empty()) continue;
    if (const auto twin = find(key))
      fail("[text] {}: {}: expected every token once, got {} as token {} and as token {}",
           metadata.file_name(), kTokens, quoted(key), *twin, id);
    const uint64_t hash = hash_bytes(key, hash_seed());
    size_t at = hash & mask;
    while (slots_[at].id >= 0) at = (at + 1) & mask;
    slots_[at] = {.tag = static_cast<uint32_t>(hash >> 32), .id = id};
  }
}

std::optional<int32_t> Vocabulary::find(std::string_view key) const {
  if (key.empty() || key.size() > longest_) return std::nullopt;
  const size_t mask = slots_.size() - 1;
  const uint64_t hash = hash_bytes(key, hash_seed());
  const auto tag = static_cast<uint32_t>(hash >> 32);
  for (size_t at = hash & mask; slots_[at].id >= 0; at = (at + 1) & mask)
    if (slots_[at].tag == tag && same_bytes(text(slots_[at].id), key)) return slots_[at].id;
  return std::nullopt;
}

std::optional<int32_t> Vocabulary::find_text(std::string_view key) const {
  const auto id = find(key);
  return id && is_text(*id) ? id : std::nullopt;
}

}  // namespace plumb
