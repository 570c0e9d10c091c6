#include "generate/disguise.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"

namespace plumb {
namespace {

// U+100000 .. U+10FDFF, Supplementary Private Use Area-B, in blocks of 256.
constexpr uint32_t kFirstBlock = 0x1000, kBlocks = 0xFE;
constexpr uint8_t kMark = 0;  // bytes that need a disguise are above 0x7F

// What reads like a control token for this long is treated as one: marks do no harm, and a hostile
// vocabulary costs no more.
constexpr size_t kLongestCompared = 256;

// The 21 bits of the four-byte sequence at the start of the text, 0 where there is none.
uint32_t four_byte_code_point(std::string_view text) {
  if (utf8_length(text) != 4) return 0;
  const auto bits = [&](size_t i) { return static_cast<uint32_t>(text[i]) & 0x3Fu; };
  return (static_cast<uint32_t>(text[0]) & 7u) << 18 | bits(1) << 12 | bits(2) << 6 | bits(3);
}

void note_blocks(std::string_view text, std::array<bool, kBlocks>& used) {
  for (size_t i = text.find('\xF4'); i != std::string_view::npos; i = text.find('\xF4', i + 1)) {
    const uint32_t block = (four_byte_code_point(text.substr(i)) >> 8) - kFirstBlock;
    if (block < kBlocks) used[block] = true;
  }
}

}  // namespace

Disguise::Disguise(const Tokenizer& tokenizer, const std::vector<std::string_view>& texts) {
  std::array<bool, kBlocks> used{};
  for (const std::string_view text : texts) note_blocks(text, used);
  const auto free = std::find(used.begin(), used.end(), false);
  if (free == used.end()) fail("messages: expected some private code points unused, got none");
  block_ = kFirstBlock + static_cast<uint32_t>(free - used.begin());

  for (int32_t id = 0; id < tokenizer.n_tokens(); ++id) {
    const TokenType type = tokenizer.token_type(id);
    if ((type == TokenType::control || type == TokenType::unknown) &&
        !tokenizer.token_text(id).empty())
      control_tokens_.push_back(tokenizer.token_text(id));
  }
  std::sort(control_tokens_.begin(), control_tokens_.end());
}

// Narrows the sorted tokens to those that agree with the text in one byte more, until one is used
// up.
bool Disguise::starts_control_token(std::string_view text) const {
  auto begin = control_tokens_.begin(), end = control_tokens_.end();
  for (size_t i = 0; i < std::min(text.size(), kLongestCompared); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto at = [i](std::string_view s) { return static_cast<unsigned char>(s[i]); };
    begin = std::partition_point(begin, end, [&](std::string_view s) { return at(s) < byte; });
    end = std::partition_point(begin, end, [&](std::string_view s) { return at(s) == byte; });
    if (begin == end) return false;
    if (begin->size() == i + 1) return true;
  }
  return text.size() > kLongestCompared;
}

std::string Disguise::code_point(uint8_t low) const {
  const uint32_t c = block_ << 8 | low;
  const auto continuation = [c](int shift) {
    return static_cast<char>(0x80 | (c >> shift & 0x3F));
  };
  return {static_cast<char>(0xF0 | c >> 18), continuation(12), continuation(6), continuation(0)};
}

// -1: no code point of the block.
int Disguise::low_byte_at(std::string_view text) const {
  const uint32_t c = four_byte_code_point(text);
  return c >> 8 == block_ ? static_cast<int>(c & 0xFF) : -1;
}

std::string Disguise::put_on(std::string_view text, bool hide_control) const {
  std::string out;
  while (!text.empty()) {
    const bool is_control = hide_control && starts_control_token(text);
    const int length = utf8_length(text);
    if (length == 0)
      out += code_point(static_cast<uint8_t>(text[0]));
    else
      out += text.substr(0, static_cast<size_t>(length));
    if (is_control) out += code_point(kMark);
    text.remove_prefix(static_cast<size_t>(std::max(length, 1)));
  }
  return out;
}

Disguise::Uncovered Disguise::take_off(std::string_view rendered) const {
  Uncovered out;
  while (!rendered.empty()) {
    const size_t plain = std::min(rendered.find('\xF4'), rendered.size());
    out.text += rendered.substr(0, plain);
    rendered.remove_prefix(plain);
    if (rendered.empty()) break;
    const int low = low_byte_at(rendered);
    if (low == kMark)
      out.borders.push_back(out.text.size());
    else if (low > 0)
      out.text += static_cast<char>(low);
    else
      out.text += rendered[0];
    rendered.remove_prefix(low < 0 ? 1 : 4);
  }
  return out;
}

}  // namespace plumb
