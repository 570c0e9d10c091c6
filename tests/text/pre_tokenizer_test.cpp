// Pre-tokenizers: the shadow and its expressions against the table's expressions on UTF-8 itself,
// and pieces known by hand.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pcre2.h>

#include "base/text.h"
#include "support/tokenizer_texts.h"
#include "text/unicode.h"

namespace plumb {
namespace {

using testing::ElementsAre;

constexpr const char* kNames[] = {"gpt-2",  "smollm", "llama-bpe", "dbrx",   "qwen2",
                                  "qwen35", "gpt-4o", "tekken",    "gemma4", "default"};

std::vector<std::string> pieces_of(std::string_view pre, std::string_view text) {
  const PreTokenizer pre_tokenizer(find_pre_tokenizer(pre)->regexes);
  std::vector<std::string> out;
  for (const uint32_t length : pre_tokenizer.split(text)) {
    out.emplace_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  EXPECT_TRUE(text.empty());
  return out;
}

// PCRE2 in its Unicode mode.
std::vector<std::string> cut(std::string_view regex, const std::vector<std::string>& pieces) {
  int error = 0;
  size_t where = 0;
  auto* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(regex.data()), regex.size(),
                             PCRE2_UTF | PCRE2_UCP, &error, &where, nullptr);
  auto* match = pcre2_match_data_create(1, nullptr);
  std::vector<std::string> out;
  for (const auto& piece : pieces) {
    size_t done = 0;
    while (pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(piece.data()), piece.size(), done, 0,
                       match, nullptr) > 0) {
      const size_t* range = pcre2_get_ovector_pointer(match);
      if (range[0] > done) out.push_back(piece.substr(done, range[0] - done));
      out.push_back(piece.substr(range[0], range[1] - range[0]));
      done = range[1];
    }
    if (done < piece.size()) out.push_back(piece.substr(done));
  }
  pcre2_match_data_free(match);
  pcre2_code_free(code);
  return out;
}

TEST(PreTokenizer, CutsAsTheExpressionsDoOnUtf8) {
  for (const char* name : kNames) {
    for (const auto& set : test::reference_texts()) {
      if (set.name == "bytes" || set.name == "unicode")
        continue;  // ill-formed; newer than PCRE2's Unicode
      for (const auto& text : set.texts) {
        std::vector<std::string> expected = {text};
        for (const auto regex : find_pre_tokenizer(name)->regexes) expected = cut(regex, expected);
        EXPECT_EQ(pieces_of(name, text), expected) << name;
      }
    }
  }
}

TEST(PreTokenizer, IllFormedBytesAreCharactersOfNoClass) {
  EXPECT_THAT(pieces_of("llama-bpe",
                        "\xff\xff ab\xe2\x96"
                        "c\x80"
                        "12"),
              ElementsAre("\xff\xff", " ab", "\xe2\x96", "c", "\x80", "12"));
  EXPECT_THAT(pieces_of("gpt-2", " \xc3 \xa9"), ElementsAre(" \xc3", " \xa9"));
  EXPECT_THAT(pieces_of("qwen2",
                        "\xed\xa0\x80"
                        "a"),
              ElementsAre("\xed\xa0\x80"
                          "a"));  // a surrogate is one character
}

TEST(PreTokenizer, CutsAsEachModelExpects) {
  EXPECT_THAT(pieces_of("gpt-2", "I'll  pay 1234!\n\n"),
              ElementsAre("I", "'ll", " ", " pay", " 1234", "!", "\n\n"));
  EXPECT_THAT(pieces_of("smollm", "a  12 x"), ElementsAre("a", "  ", "1", "2", " x"));
  EXPECT_THAT(pieces_of("llama-bpe", "I'LL 12345 !?\n\n x"),
              ElementsAre("I", "'LL", " ", "123", "45", " !?\n\n", " x"));
  EXPECT_THAT(pieces_of("qwen2", "a12\t\tb"), ElementsAre("a", "1", "2", "\t", "\tb"));
  EXPECT_THAT(pieces_of("qwen2", "e\u0301a"), ElementsAre("e", "\u0301a"));
  EXPECT_THAT(pieces_of("qwen35", "e\u0301a"), ElementsAre("e\u0301a"));
  EXPECT_THAT(pieces_of("gpt-4o", "camelCase THEY'll a/b//\n"),
              ElementsAre("camel", "Case", " THEY'll", " a", "/b", "//\n"));
  EXPECT_THAT(pieces_of("tekken", "THEY'll 12"), ElementsAre("THEY", "'ll", " ", "1", "2"));
  EXPECT_THAT(pieces_of("gemma4", "a b\n\nc"), ElementsAre("a b", "\n\n", "c"));
}

TEST(PreTokenizer, UnknownNamesAreUnknown) {
  EXPECT_EQ(find_pre_tokenizer("gpt-2 "), nullptr);
  EXPECT_EQ(find_pre_tokenizer(""), nullptr);
  EXPECT_THAT(pre_tokenizer_names(), testing::HasSubstr("smollm, starcoder, refact"));
}

TEST(Unicode, DecodesWhatIsWellFormed) {
  for (uint32_t c = 0; c < 0x110000; ++c) {
    std::string text;
    if (c < 0x80) {
      text = {static_cast<char>(c), 'x'};
    } else {
      for (int shift = c < 0x800 ? 6 : c < 0x10000 ? 12 : 18; shift >= 0; shift -= 6)
        text += static_cast<char>((text.empty() ? 0 : 0x80) |
                                  (text.empty() ? c >> shift : c >> shift & 0x3F));
      text[0] = static_cast<char>(text[0] | (c < 0x800 ? 0xC0 : c < 0x10000 ? 0xE0 : 0xF0));
    }
    const Char decoded = decode_char(text);
    ASSERT_EQ(decoded.code_point, c);
    const bool surrogate = c >= 0xD800 && c < 0xE000;
    ASSERT_EQ(decoded.length, surrogate ? 3 : utf8_length(text));
  }
  for (const char* text : {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xe2\x96",
                           "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf8", "\xff"})
    EXPECT_EQ(decode_char(text).length, 1) << text;
}

TEST(Unicode, ClassesAreThoseOfTheDatabase) {
  const std::pair<uint32_t, CharClass> cases[] = {
      {'a', CharClass::ll},        {'Z', CharClass::lu},         {'5', CharClass::number},
      {' ', CharClass::space},     {0x85, CharClass::space},     {0x3000, CharClass::space},
      {0x200B, CharClass::other},  {0x1C5, CharClass::lt},       {0x2B0, CharClass::lm},
      {0x4E2D, CharClass::lo},     {0x301, CharClass::mark},     {0x903, CharClass::mark},
      {0x2164, CharClass::number}, {0xBD, CharClass::number},    {'!', CharClass::punctuation},
      {'$', CharClass::symbol},    {0x1F642, CharClass::symbol}, {0xFFFD, CharClass::symbol},
      {0x2EBF0, CharClass::lo},    {0x1C89, CharClass::other},   {0x10FFFF, CharClass::other},
      {0x110000, CharClass::other}};
  for (const auto& [code_point, expected] : cases)
    EXPECT_EQ(char_class(code_point), expected) << code_point;
}

}  // namespace
}  // namespace plumb
