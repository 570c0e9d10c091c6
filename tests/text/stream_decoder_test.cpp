// Streams of tokens as text: never a part of a character, never a lost byte.
#include <gtest/gtest.h>

#include "base/text.h"
#include "support/random.h"
#include "support/small_vocabulary.h"
#include "support/tokenizer_texts.h"
#include "text/tokenizer.h"

namespace plumb {
namespace {

class Stream : public testing::Test {
 protected:
  std::unique_ptr<Tokenizer> load(const test::SmallVocabulary& options) {
    return Tokenizer::load(test::open_file(test::small_vocabulary(options)).metadata());
  }
  // One id for each byte.
  std::vector<int32_t> bytes(const Tokenizer& t, std::string_view text) {
    std::vector<int32_t> ids;
    for (const char c : text) {
      char token[8];
      std::snprintf(token, sizeof token, "<0x%02X>", static_cast<uint8_t>(c));
      ids.push_back(*t.find(token));
    }
    return ids;
  }
  std::vector<std::string> stream(const Tokenizer& t, const std::vector<int32_t>& ids) {
    StreamDecoder decoder(t);
    std::vector<std::string> out;
    for (const int32_t id : ids) out.push_back(decoder.add(id));
    out.push_back(decoder.flush());
    return out;
  }
};

TEST_F(Stream, HoldsBackUnfinishedCharactersOnly) {
  const auto t = load({.model = "llama"});
  using Texts = std::vector<std::string>;
  EXPECT_EQ(stream(*t, bytes(*t, "a\xc3\xa9z")), (Texts{"a", "", "\xc3\xa9", "z", ""}));
  EXPECT_EQ(stream(*t, bytes(*t, "\xf0\x9f\xa6\x99")), (Texts{"", "", "", "\xf0\x9f\xa6\x99", ""}));
  EXPECT_EQ(stream(*t, bytes(*t, "\xe2\x96")), (Texts{"", "", "\xe2\x96"}));  // ends too early
  EXPECT_EQ(stream(*t, bytes(*t, "\xe2x")), (Texts{"", "\xe2x", ""}));        // proven wrong
  EXPECT_EQ(stream(*t, bytes(*t, "\x80\xff")), (Texts{"\x80", "\xff", ""}));  // never right
  EXPECT_EQ(stream(*t, bytes(*t, "\xed\xa0\x80")),
            (Texts{"", "\xed\xa0", "\x80", ""}));                             // a surrogate
  EXPECT_EQ(stream(*t, bytes(*t, "\xf4\x90")), (Texts{"", "\xf4\x90", ""}));  // beyond U+10FFFF
  EXPECT_EQ(stream(*t, bytes(*t, "\xc3\xe2\x96\x81")), (Texts{"", "\xc3", "", "\xe2\x96\x81", ""}));
}

TEST_F(Stream, GivesWhatDecodeGives) {
  test::Random random(1);
  for (const auto& [name, options] : test::reference_vocabularies()) {
    const auto t = load(options);
    for (const auto& set : test::reference_texts()) {
      for (size_t i = 0; i < set.texts.size(); i += 7) {
        const auto ids = t->encode(set.texts[i]);
        std::string all;
        const auto parts = stream(*t, ids);
        for (const auto& part : parts) {
          if (set.name != "bytes") {
            EXPECT_TRUE(is_utf8(part)) << name << quoted(part);
          }
          all += part;
        }
        EXPECT_EQ(all, t->decode(ids));
      }
    }
  }
}

TEST_F(Stream, DropsThePrefixedSpaceOnlyWhereItWasPutIn) {
  const auto t = load({.model = "llama"});
  const int32_t the = *t->find("▁the"), turn = *t->find("<|turn·a|>");
  EXPECT_EQ(stream(*t, {the, the, turn, the}),
            (std::vector<std::string>{"the", " the", "", "the", ""}));
  const std::vector<int32_t> text = {the}, special = {the, turn};
  EXPECT_EQ(StreamDecoder(*t, false, text).add(the), " the");
  EXPECT_EQ(StreamDecoder(*t, false, special).add(the), "the");
  EXPECT_EQ(StreamDecoder(*t, true).add(turn), "<|turn·a|>");
}

}  // namespace
}  // namespace plumb
