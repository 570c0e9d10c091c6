// Finding special tokens: the automaton against the plain rule, on strings that overlap as much as
// they can.
#include "text/special_matcher.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <string>

#include "support/random.h"

namespace plumb {
namespace {

using Found = std::vector<std::tuple<size_t, size_t, int32_t>>;

Found found(const SpecialMatcher& matcher, std::string_view text) {
  Found out;
  for (const auto& match : matcher.find(text)) out.emplace_back(match.begin, match.end, match.id);
  return out;
}

// The rule as it is written: longest string first, each from left to right in what is still text.
Found by_the_rule(std::vector<SpecialString> strings, std::string_view text) {
  std::ranges::sort(strings, [](const SpecialString& a, const SpecialString& b) {
    return a.text.size() != b.text.size() ? a.text.size() > b.text.size() : a.id < b.id;
  });
  std::list<std::pair<size_t, size_t>> raw = {{0, text.size()}};
  Found out;
  for (const auto& s : strings) {
    for (auto piece = raw.begin(); piece != raw.end();) {
      const size_t at = text.substr(0, piece->second).find(s.text, piece->first);
      if (at == text.npos) {
        ++piece;
        continue;
      }
      out.emplace_back(at, at + s.text.size(), s.id);
      raw.insert(piece, {piece->first, at});
      piece->first = at + s.text.size();
    }
  }
  std::ranges::sort(out);
  return out;
}

TEST(SpecialMatcher, DoesWhatTheRuleSays) {
  test::Random random(1);
  const auto word = [&](std::string_view letters, int64_t most) {
    std::string out;
    for (int64_t n = 1 + random.below(most); n > 0; --n)
      out += letters[static_cast<size_t>(random.below(std::ssize(letters)))];
    return out;
  };
  for (int round = 0; round < 3000; ++round) {
    const std::string letters = round % 3 == 0 ? "ab" : round % 3 == 1 ? "abc" : "a";
    std::vector<std::string> words;
    for (int64_t n = 1 + random.below(12); n > 0; --n)
      words.push_back(word(letters, 1 + random.below(9)));
    std::ranges::sort(words);
    words.erase(std::unique(words.begin(), words.end()), words.end());
    std::vector<SpecialString> strings;
    for (const auto& w : words)
      strings.push_back({w, static_cast<int32_t>(random.below(1000) * 20 + std::ssize(strings))});
    const std::string text = word(letters + "x", 60);
    EXPECT_EQ(found(SpecialMatcher(strings), text), by_the_rule(strings, text)) << text;
  }
}

TEST(SpecialMatcher, FindsNothingInNothing) {
  EXPECT_TRUE(SpecialMatcher().find("abc").empty());
  EXPECT_TRUE(SpecialMatcher({{"a", 1}}).find("").empty());
  EXPECT_TRUE(SpecialMatcher({{"abc", 1}}).find("ab").empty());
}

// Would take minutes if strings times text, or text times longest string, were the cost.
TEST(SpecialMatcher, ManyAndLongStringsCostNoMore) {
  std::vector<std::string> words;
  for (int i = 0; i < 100000; ++i) words.push_back(fmt::format("<{}>", i));
  for (size_t n = 1; n < 2000; ++n) words.push_back(std::string(n, 'a'));
  words.push_back(std::string(100000, 'a') + "b");
  std::vector<SpecialString> strings;
  for (const auto& w : words) strings.push_back({w, static_cast<int32_t>(std::ssize(strings))});
  const SpecialMatcher matcher(strings);
  std::string text(300000, 'a');
  for (int i = 0; i < 30000; ++i) text += fmt::format("<{}> ", i * 3);
  EXPECT_EQ(matcher.find(text).size(), 150u + 1 + 30000);
}

}  // namespace
}  // namespace plumb
