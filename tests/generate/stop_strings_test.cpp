// Stop strings against a brute-force search, for every way to cut the text into pieces.
#include "generate/stop_strings.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/random.h"

namespace plumb {
namespace {

// What add() and flush() give for the text cut into pieces of n bytes.
std::string streamed(const std::vector<std::string>& stops, std::string_view text, size_t n) {
  StopStrings s(stops);
  std::string out;
  for (size_t i = 0; i < text.size() && !s.stopped(); i += n) out += s.add(text.substr(i, n));
  return out + s.flush();
}

// The same by searching: the shortest start of the text that ends with a stop string.
std::string searched(const std::vector<std::string>& stops, std::string_view text) {
  for (size_t end = 0; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const std::string& stop : stops)
      if (text.substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
    if (longest > 0) return std::string(text.substr(0, end - longest));
  }
  return std::string(text);
}

TEST(StopStrings, EndsBeforeTheStringWhereverThePiecesFall) {
  for (size_t n = 1; n < 20; ++n) {
    EXPECT_EQ(streamed({"###"}, "Hello ## there ### gone", n), "Hello ## there ");
    EXPECT_EQ(streamed({"abcd", "bc"}, "xabcd", n), "xa") << "bc is complete first";
    EXPECT_EQ(streamed({"cd", "abcd"}, "xabcd", n), "x") << "both at once: the longer";
    EXPECT_EQ(streamed({"aab"}, "aaab", n), "a") << "the automaton falls back";
    EXPECT_EQ(streamed({"größe"}, "die größte größe", n), "die größte ");
    EXPECT_EQ(streamed({"x"}, "no such letter", n), "no such letter");
    EXPECT_EQ(streamed({}, "no stops", n), "no stops");
  }
}

TEST(StopStrings, HoldsBackOnlyWhatMayBeAStart) {
  StopStrings s({"###", "\n\nUser"});
  EXPECT_EQ(s.add("abc"), "abc");
  EXPECT_EQ(s.add("d#"), "d");
  EXPECT_EQ(s.add("#"), "");
  EXPECT_EQ(s.add("x\n"), "##x");
  EXPECT_EQ(s.add("\n\n"), "\n") << "the last two may still start it";
  EXPECT_EQ(s.add("Us"), "");
  EXPECT_EQ(s.flush(), "\n\nUs");
  EXPECT_FALSE(s.stopped());
}

TEST(StopStrings, NothingComesAfterwards) {
  StopStrings s({"stop"});
  EXPECT_EQ(s.add("go stop go"), "go ");
  EXPECT_TRUE(s.stopped());
  EXPECT_EQ(s.add("more"), "");
  EXPECT_EQ(s.flush(), "");
}

TEST(StopStrings, AgreesWithSearching) {
  test::Random random(4);
  const auto word = [&](int64_t longest) {
    std::string s(1 + static_cast<size_t>(random.below(longest)), 'a');
    for (char& c : s) c = static_cast<char>('a' + random.below(2));
    return s;
  };
  for (int i = 0; i < 3000; ++i) {
    std::vector<std::string> stops;
    for (int64_t n = random.below(4); n > 0; --n) stops.push_back(word(6));
    const std::string text = word(40);
    const auto n = 1 + static_cast<size_t>(random.below(5));
    ASSERT_EQ(streamed(stops, text, n), searched(stops, text)) << text;
  }
}

TEST(StopStrings, LongStringsCostLinearTime) {
  const std::string a(100000, 'a');
  StopStrings s({a + "b"});
  size_t out = 0;
  for (int i = 0; i < 30; ++i) out += s.add(a).size();
  EXPECT_EQ(out + s.flush().size(), 30 * a.size());
}

TEST(StopStrings, EmptyOrBrokenOnesAreRefused) {
  EXPECT_THROW(StopStrings({""}), Error);
  EXPECT_THROW(StopStrings({"ok", "\xc3"}), Error);
}

}  // namespace
}  // namespace plumb
