// gemma4: BPE by rank on characters, where a space is U+2581.
#include "text/byte_alphabet.h"
#include "text/fragment_encoder.h"
#include "text/marked_text.h"
#include "text/merge_table.h"
#include "text/unicode.h"

namespace plumb {
namespace {

class LineBpe final : public FragmentEncoder {
 public:
  LineBpe(const gguf::Metadata& metadata, const Vocabulary& vocabulary,
          const PreTokenizerRule& rule)
      : vocabulary_(vocabulary),
        merges_(metadata, vocabulary),
        lines_(rule.regexes),
        bytes_(vocabulary, std::nullopt) {
    for_each_merge(metadata, [this](std::string_view left, std::string_view right) {
      cuts_.join(left, right);
    });
  }

  void encode(std::string_view fragment, Encoding& encoding) const override {
    size_t begin = encoding.marked.size();
    append_marked(fragment, encoding.marked);
    for (const uint32_t length : lines_.split(std::string_view(encoding.marked).substr(begin))) {
      encode_line(begin, length, encoding);
      begin += length;
    }
  }

 private:
  void encode_line(size_t begin, size_t length, Encoding& encoding) const {
    const auto text = std::string_view(encoding.marked).substr(0, begin + length);
    if (text[begin] == '\n')
      if (const auto id = vocabulary_.find_text(text.substr(begin)))
        return encoding.ids.push_back(*id);
    while (begin < text.size()) {
      const size_t word = cuts_.word_length(text.substr(begin));
      const auto encode = [&](std::string_view piece) { encode_word(piece, encoding); };
      encoding.cache.append(text, begin, word, encoding.ids, encode);
      begin += word;
    }
  }

  void encode_word(std::string_view word, Encoding& encoding) const {
    auto& merger = encoding.merger;
    merger.clear();
    for (uint32_t at = 0; at < word.size();) {
      const auto length = static_cast<uint32_t>(decode_char(word.substr(at)).length);
      merger.push({merges_.symbol(word.substr(at, length), vocabulary_), at, length});
      at += length;
    }
    const auto merge_of = [&](const Symbol& left, const Symbol& right) {
      return merges_.find(left.id, right.id);
    };
    merger.run(merge_of, [&](const Symbol& symbol) {
      if (symbol.id >= 0 && symbol.id < vocabulary_.size())
        return encoding.ids.push_back(symbol.id);
      bytes_.append(word.substr(symbol.begin, symbol.length), encoding.ids);
    });
  }

  const Vocabulary& vocabulary_;
  MergeTable merges_;
  PreTokenizer lines_;
  ByteTokens bytes_;
  MarkCuts cuts_;
};

}  // namespace

std::unique_ptr<FragmentEncoder> make_line_bpe(const gguf::Metadata& metadata,
                                               const Vocabulary& vocabulary,
                                               const PreTokenizerRule& rule) {
  return std::make_unique<LineBpe>(metadata, vocabulary, rule);
}

}  // namespace plumb
