// Texts for comparing tokenizers: every kind of character that a pre-tokenizer tells apart, in
// every neighbourhood.
#include "support/tokenizer_texts.h"

#include <array>

#include "base/file.h"
#include "support/random.h"

namespace plumb::test {
namespace {

using Alphabet = std::vector<std::string>;

const Alphabet kSpaces = {" ",      " ",      " ",      "\t",     "\n",     "\n",     "\r",
                          "\r\n",   "\v",     "\f",     "\u0085", "\u00a0", "\u1680", "\u2003",
                          "\u2028", "\u202f", "\u205f", "\u3000", "\u200b", "\ufeff"};
const Alphabet kAscii = {
    "a",  "a", "b", "c",  "d", "e", "s",  "t",  "r",   "v",   "l",          "m",      "S",
    "T",  "L", "D", "E",  "R", "V", "M",  "'",  "'",   "'s",  "'LL",        "0",      "1",
    "23", " ", " ", "\n", ".", ",", "!",  "?",  "/",   "-",   "_",          "<",      ">",
    "|",  "$", "+", "^",  "~", "`", "\"", "\\", "the", "and", "lighthouse", "keeper", "12345"};
const Alphabet kSpecial = {"<a·>",   "<b>",    "<a·><b>", "<",  ">",    "<<",         "><",
                           "·>·<",   "a",      "b",       "aa", "b><a", "aab",        "abaa",
                           "\n\n",   "\n",     "   ",     " ",  "ж",    "<|turn·a|>", "<|turn·b|>",
                           "<|turn", "<0x41>", "x",       "·"};

struct Range {
  uint32_t first, last;
};
constexpr Range kScripts[] = {
    {0x41, 0x5A},       {0x61, 0x7A},       {0x30, 0x39},       {0xC0, 0x24F},
    {0x300, 0x36F},     {0x370, 0x3FF},     {0x400, 0x52F},     {0x530, 0x587},
    {0x5D0, 0x5EA},     {0x5B0, 0x5BD},     {0x620, 0x66F},     {0x904, 0x94D},
    {0x966, 0x96F},     {0x985, 0x9CD},     {0xB85, 0xBCD},     {0xE01, 0xE3A},
    {0xE40, 0xE5B},     {0x1000, 0x104F},   {0x10A0, 0x10FF},   {0x1100, 0x1112},
    {0x1E00, 0x1EFF},   {0x1F00, 0x1F15},   {0x2010, 0x2027},   {0x2070, 0x2071},
    {0x2074, 0x208E},   {0x2100, 0x218B},   {0x2190, 0x22FF},   {0x2460, 0x249B},
    {0x3041, 0x3096},   {0x30A1, 0x30FF},   {0x4E00, 0x4EFF},   {0xAC00, 0xACFF},
    {0xFB00, 0xFB06},   {0xFF01, 0xFFBE},   {0x10400, 0x1044F}, {0x1D400, 0x1D454},
    {0x1F300, 0x1F64F}, {0x1F1E6, 0x1F1FF}, {0x20000, 0x200FF}, {0xFE00, 0xFE0F}};

std::string utf8(uint32_t c) {
  if (c < 0x80) return std::string(1, static_cast<char>(c));
  std::string out;
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    tail(6);
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    tail(12);
    tail(6);
  }
  tail(0);
  return out;
}

// llama.cpp's SentencePiece loses a space that follows an unfinished character.
std::string without_spaces(std::string_view text) {
  std::string out;
  for (; !text.empty(); text.remove_prefix(1)) {
    if (text.starts_with("\u2581")) text.remove_prefix(2);
    const bool space = text[0] == ' ' || text[0] == '\x81';
    out += space ? '_' : text[0];
  }
  return out;
}

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  std::string some(const Alphabet& alphabet, int64_t most) {
    std::string out;
    for (int64_t n = 1 + random_.below(most); n > 0; --n)
      out += alphabet[static_cast<size_t>(random_.below(std::ssize(alphabet)))];
    return out;
  }

  std::string ascii() { return some(kAscii, 40); }
  std::string special() { return some(kSpecial, 12); }

  // One statement for each call: the order of calls within an expression is the compiler's choice.
  std::string spaces() {
    std::string out;
    for (int64_t n = 1 + random_.below(10); n > 0; --n) {
      out += some(kSpaces, 4);
      out += some(kAscii, 2);
    }
    return out;
  }

  std::string scripts() {
    std::string out;
    for (int64_t n = 1 + random_.below(12); n > 0; --n) {
      out += word();
      if (random_.below(3) == 0) out += some(kSpaces, 2);
      if (random_.below(3) == 0) out += some(kAscii, 2);
    }
    return out;
  }

  // Any code point, assigned or not, surrogates apart.
  std::string unicode() {
    constexpr std::array<int64_t, 4> limits = {0x80, 0x800, 0x10000, 0x110000};
    std::string out;
    for (int64_t n = 1 + random_.below(30); n > 0; --n) {
      const auto c =
          static_cast<uint32_t>(random_.below(limits[static_cast<size_t>(random_.below(4))]));
      if (c < 0xD800 || c > 0xDFFF) out += utf8(c);
    }
    return out;
  }

  // A part of the multilingual text, cut between characters.
  std::string excerpt() {
    static const std::string all =
        read_file(std::string(PLUMB_TEST_DATA) + "/tokenizer/multilingual.txt");
    const auto starts = [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; };
    auto begin = static_cast<size_t>(random_.below(std::ssize(all) - 300)),
         end = begin + static_cast<size_t>(random_.below(290)) + 4;
    while (!starts(all[begin])) ++begin;
    while (!starts(all[end])) ++end;
    return all.substr(begin, end - begin);
  }

  // Ill-formed: bytes changed or taken out.
  std::string bytes() {
    std::string out = random_.below(2) ? scripts() : excerpt();
    for (int64_t n = 1 + random_.below(6); n > 0; --n) {
      const auto at = static_cast<size_t>(random_.below(std::ssize(out)));
      if (random_.below(2))
        out[at] = static_cast<char>(random_.byte());
      else
        out.erase(at, out.size() > 1);
    }
    return without_spaces(out);
  }

 private:
  std::string word() {
    const auto& range = kScripts[random_.below(std::ssize(kScripts))];
    std::string out;
    for (int64_t n = 1 + random_.below(6); n > 0; --n)
      out += utf8(range.first + static_cast<uint32_t>(random_.below(range.last - range.first + 1)));
    return out;
  }

  Random random_;
};

}  // namespace

std::vector<TextSet> reference_texts() {
  struct Kind {
    const char* name;
    std::string (Generator::*make)();
  };
  constexpr int kTexts = 200;
  std::vector<TextSet> out;
  uint64_t seed = 1;
  for (const Kind& kind :
       {Kind{"ascii", &Generator::ascii}, Kind{"special", &Generator::special},
        Kind{"spaces", &Generator::spaces}, Kind{"scripts", &Generator::scripts},
        Kind{"excerpt", &Generator::excerpt}, Kind{"unicode", &Generator::unicode},
        Kind{"bytes", &Generator::bytes}}) {
    Generator generator(seed++);
    TextSet& set = out.emplace_back(TextSet{kind.name, {}});
    for (int i = 0; i < kTexts; ++i) set.texts.push_back((generator.*kind.make)());
  }
  return out;
}

}  // namespace plumb::test
