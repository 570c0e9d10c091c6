// SentencePiece-style BPE (Kudo 2018): two symbols may merge if together they are a token, and the
// token with the highest score is made first.
#include <bit>

#include "text/byte_alphabet.h"
#include "text/fragment_encoder.h"
#include "text/marked_text.h"

namespace plumb {
namespace {

// Highest score first: keys in the opposite order of the floats. Never Merge::kNever, as scores are
// finite.
uint32_t key_of(float score) {
  const auto bits = std::bit_cast<uint32_t>(score + 0.0f);  // -0 is 0
  return bits & 0x80000000 ? bits : ~(bits | 0x80000000);
}

// A lead byte takes as many bytes as it promises, whatever they are (so does the reference
// runtime), but never a space.
uint32_t symbol_length(std::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  const size_t promised = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  size_t length = 1;
  while (length < std::min(promised, text.size()) && !text.substr(length).starts_with(kSpaceMark))
    ++length;
  return static_cast<uint32_t>(length);
}

class SentencePiece final : public FragmentEncoder {
 public:
  SentencePiece(const Vocabulary& vocabulary, bool add_space_prefix, std::optional<int32_t> unknown)
      : vocabulary_(vocabulary),
        bytes_(vocabulary, unknown),
        prefix_(add_space_prefix ? kSpaceMark : "") {
    for (int32_t id = 0; id < vocabulary.size(); ++id) cuts_.join_within(vocabulary.text(id));
  }

  void encode(std::string_view fragment, Encoding& encoding) const override {
    size_t begin = encoding.marked.size();
    encoding.marked += prefix_;
    append_marked(fragment, encoding.marked);
    const std::string_view text = encoding.marked;
    while (begin < text.size()) {
      const size_t word = cuts_.word_length(text.substr(begin));
      const auto encode = [&](std::string_view piece) { encode_word(piece, encoding); };
      encoding.cache.append(text, begin, word, encoding.ids, encode);
      begin += word;
    }
  }

 private:
  void encode_word(std::string_view word, Encoding& encoding) const {
    auto& merger = encoding.merger;
    merger.clear();
    for (uint32_t at = 0; at < word.size();) {
      const uint32_t length = symbol_length(word.substr(at));
      merger.push({find(word.substr(at, length)), at, length});
      at += length;
    }
    const auto merge_of = [&](const Symbol& left, const Symbol& right) {
      const int32_t id = find(word.substr(left.begin, left.length + right.length));
      return id < 0 ? Merge{} : Merge{.key = key_of(vocabulary_.score(id)), .id = id};
    };
    merger.run(merge_of, [&](const Symbol& symbol) {
      if (symbol.id >= 0) return encoding.ids.push_back(symbol.id);
      bytes_.append(word.substr(symbol.begin, symbol.length), encoding.ids);
    });
  }

  int32_t find(std::string_view text) const { return vocabulary_.find_text(text).value_or(-1); }

  const Vocabulary& vocabulary_;
  ByteTokens bytes_;
  MarkCuts cuts_;
  std::string_view prefix_;  // of every fragment: at the start and after special tokens
};

}  // namespace

std::unique_ptr<FragmentEncoder> make_sentence_piece(const Vocabulary& vocabulary,
                                                     bool add_space_prefix,
                                                     std::optional<int32_t> unknown) {
  return std::make_unique<SentencePiece>(vocabulary, add_space_prefix, unknown);
}

}  // namespace plumb
