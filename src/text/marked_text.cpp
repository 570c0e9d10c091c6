// Cutting at space marks, and byte tokens.
#include "text/marked_text.h"

#include <algorithm>

#include "text/byte_alphabet.h"

namespace plumb {

void MarkCuts::join(std::string_view left, std::string_view right) {
  if (right.starts_with(kSpaceMark) && !left.empty() && !left.ends_with(kSpaceMark))
    joined_.set(static_cast<uint8_t>(left.back()));
}

void MarkCuts::join_within(std::string_view token) {
  for (size_t at = token.find(kSpaceMark, 1); at != token.npos; at = token.find(kSpaceMark, at + 1))
    join(token.substr(0, at), token.substr(at));
}

size_t MarkCuts::word_length(std::string_view text) const {
  for (size_t at = text.find(kSpaceMark, 1); at != text.npos; at = text.find(kSpaceMark, at + 1)) {
    const bool in_run = text.substr(0, at).ends_with(kSpaceMark);
    if (!in_run && !joined_[static_cast<uint8_t>(text[at - 1])]) return at;
  }
  return text.size();
}

ByteTokens::ByteTokens(const Vocabulary& vocabulary, std::optional<int32_t> unknown)
    : unknown_(unknown) {
  for (size_t byte = 0; byte < ids_.size(); ++byte) {
    const char character = static_cast<char>(byte);
    auto id = vocabulary.find_text(byte_token(static_cast<uint8_t>(byte)));
    if (!id) id = vocabulary.find_text({&character, 1});
    ids_[byte] = id.value_or(-1);
  }
}

void ByteTokens::append(std::string_view symbol, std::vector<int32_t>& ids) const {
  const auto id_of = [&](char byte) { return ids_[static_cast<uint8_t>(byte)]; };
  if (unknown_ && !std::ranges::all_of(symbol, [&](char byte) { return id_of(byte) >= 0; }))
    return ids.push_back(*unknown_);
  for (const char byte : symbol)
    if (id_of(byte) >= 0) ids.push_back(id_of(byte));
}

}  // namespace plumb
