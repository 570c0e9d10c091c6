// Byte-level BPE (Radford et al. 2019): every byte is a symbol to begin with, so that any text can
// be spelled.
#include <array>

#include "text/byte_alphabet.h"
#include "text/fragment_encoder.h"
#include "text/merge_table.h"

namespace plumb {
namespace {

class ByteBpe final : public FragmentEncoder {
 public:
  ByteBpe(const gguf::Metadata& metadata, const Vocabulary& vocabulary,
          const PreTokenizerRule& rule)
      : vocabulary_(vocabulary),
        merges_(metadata, vocabulary),
        pre_tokenizer_(rule.regexes),
        whole_pieces_(rule.ignore_merges) {
    for (size_t byte = 0; byte < symbols_.size(); ++byte)
      symbols_[byte] = merges_.symbol(spell_byte(static_cast<uint8_t>(byte)), vocabulary);
    byte_merges_.reserve(symbols_.size() * symbols_.size());
    for (const int32_t left : symbols_)
      for (const int32_t right : symbols_) byte_merges_.push_back(merges_.find(left, right));
  }

  void encode(std::string_view fragment, Encoding& encoding) const override {
    size_t begin = static_cast<size_t>(fragment.data() - encoding.source.data());
    for (const uint32_t length : pre_tokenizer_.split(fragment)) {
      const auto encode = [&](std::string_view piece) { encode_piece(piece, encoding); };
      encoding.cache.append(encoding.source, begin, length, encoding.ids, encode);
      begin += length;
    }
  }

 private:
  void encode_piece(std::string_view piece, Encoding& encoding) const {
    if (whole_pieces_) {
      encoding.spelled.clear();
      for (const char byte : piece) encoding.spelled += spell_byte(static_cast<uint8_t>(byte));
      if (const auto id = vocabulary_.find_text(encoding.spelled))
        return encoding.ids.push_back(*id);
    }
    auto& merger = encoding.merger;
    merger.clear();
    for (uint32_t i = 0; i < piece.size(); ++i) merger.push({byte_symbol(piece[i]), i, 1});
    const auto merge_of = [&](const Symbol& left, const Symbol& right) {
      return left.length + right.length == 2 ? byte_merge(piece[left.begin], piece[right.begin])
                                             : merges_.find(left.id, right.id);
    };
    merger.run(merge_of, [&](const Symbol& symbol) { emit(symbol, piece, encoding.ids); });
  }

  // A symbol that is no token is taken apart; a byte that is none either is lost, as there is
  // nothing to say it with.
  void emit(const Symbol& symbol, std::string_view piece, std::vector<int32_t>& ids) const {
    if (is_token(symbol.id)) return ids.push_back(symbol.id);
    for (const char byte : piece.substr(symbol.begin, symbol.length))
      if (is_token(byte_symbol(byte))) ids.push_back(byte_symbol(byte));
  }

  bool is_token(int32_t symbol) const { return symbol >= 0 && symbol < vocabulary_.size(); }
  int32_t byte_symbol(char byte) const { return symbols_[static_cast<uint8_t>(byte)]; }

  const Merge& byte_merge(char left, char right) const {
    return byte_merges_[size_t{static_cast<uint8_t>(left)} << 8 | static_cast<uint8_t>(right)];
  }

  const Vocabulary& vocabulary_;
  MergeTable merges_;
  PreTokenizer pre_tokenizer_;
  bool whole_pieces_;
  std::array<int32_t, 256> symbols_{};  // of each byte; -1: none
  std::vector<Merge> byte_merges_;      // [256, 256] of two bytes: a third of all look-ups, at hand
};

}  // namespace

std::unique_ptr<FragmentEncoder> make_byte_bpe(const gguf::Metadata& metadata,
                                               const Vocabulary& vocabulary,
                                               const PreTokenizerRule& rule) {
  return std::make_unique<ByteBpe>(metadata, vocabulary, rule);
}

}  // namespace plumb
