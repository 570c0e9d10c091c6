// Quoting for messages, sizes for people, and UTF-8 as RFC 3629 has it.

#include "base/text.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

using namespace std::string_view_literals;

TEST(Text, quoted_is_one_safe_line) {
  EXPECT_EQ(quoted("plain text"), R"("plain text")");
  EXPECT_EQ(quoted("say \"hi\" \\ there"), R"("say \"hi\" \\ there")");
  EXPECT_EQ(quoted("a\nb\x1b[31m\x7f\xc3\xa9\0z"sv), R"("a\x0ab\x1b[31m\x7f\xc3\xa9\x00z")");
  EXPECT_EQ(quoted(""), R"("")");
}

TEST(Text, quoted_is_cut) {
  EXPECT_EQ(quoted("abcdef", 6), R"("abcdef")");
  EXPECT_EQ(quoted("abcdefg", 6), R"("abcdef...")");
  EXPECT_EQ(quoted(std::string_view(std::string(1000, 'x'))).size(), 64 + 5);
}

TEST(Text, bytes_for_people) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1024), "1.00 KiB");
  EXPECT_EQ(human_bytes(int64_t{5} << 28), "1.25 GiB");
  EXPECT_EQ(human_bytes(INT64_MAX), "8.00 EiB");
}

// Every code point, spelled by the definition, is one sequence of the right length; cut short it is
// none.
TEST(Text, every_scalar_value_is_utf8) {
  for (uint32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string s;
    const auto tail = [&](int shift) { s += static_cast<char>(0x80 | (c >> shift & 0x3F)); };
    const int length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    const uint32_t lead[] = {0, 0xC0, 0xE0, 0xF0};
    s += static_cast<char>(lead[length - 1] | c >> 6 * (length - 1));
    for (int i = length - 2; i >= 0; --i) tail(6 * i);
    ASSERT_EQ(utf8_length(s), length) << c;
    ASSERT_EQ(utf8_length(s + "x"), length) << c;
    ASSERT_EQ(utf8_length(std::string_view(s).substr(0, s.size() - 1)), 0) << c;
  }
}

TEST(Text, ill_formed_utf8_is_refused) {
  const std::string_view bad[] = {
      "\x80",              // continuation first
      "\xC0\x80",          // overlong NUL
      "\xC1\xBF",          // overlong, two bytes
      "\xE0\x9F\xBF",      // overlong, three bytes
      "\xF0\x8F\xBF\xBF",  // overlong, four bytes
      "\xED\xA0\x80",      // first surrogate
      "\xED\xBF\xBF",      // last surrogate
      "\xF4\x90\x80\x80",  // U+110000
      "\xF5\x80\x80\x80",
      "\xFF",
      "\xC3(",  // no continuation
      "\xE2\x82(",
      "\xF0\x9F\x98(",
  };
  for (const std::string_view s : bad) {
    EXPECT_EQ(utf8_length(s), 0) << quoted(s);
    EXPECT_FALSE(is_utf8(std::string("fine ") + std::string(s))) << quoted(s);
  }
  EXPECT_TRUE(is_utf8("naïve 漢字 😀\0"sv));
  EXPECT_TRUE(is_utf8(""));
  EXPECT_EQ(utf8_length(""), 0);
}

}  // namespace
}  // namespace plumb
