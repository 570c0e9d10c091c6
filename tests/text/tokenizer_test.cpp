// The rules of a tokenizer file: begin and end of text, ends of generation, special tokens; and
// files that break them.
#include "text/tokenizer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/small_vocabulary.h"

namespace plumb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Strings = std::vector<std::string>;
using Ints = std::vector<int32_t>;

// A vocabulary file written key by key; what is not said is right.
struct Vocab {
  std::string model = "gpt2", pre = "gpt-2";
  Strings tokens = {"a", "b", "c", "d", "ab", "cd", "abcd", "<|im_end|>", "<|x|>"};
  Ints types = {1, 1, 1, 1, 1, 1, 1, 3, 3};
  std::vector<float> scores;
  Strings merges = {"a b", "c d", "ab cd"};
  std::vector<std::pair<std::string, uint32_t>> ids;
  std::vector<std::pair<std::string, bool>> flags;
  Ints suppressed;
  std::string general_name;

  gguf::File file() const {
    gguf::Writer w;
    w.add("tokenizer.ggml.model", model);
    if (!general_name.empty()) w.add("general.name", general_name);
    if (!pre.empty()) w.add("tokenizer.ggml.pre", pre);
    w.add("tokenizer.ggml.tokens", tokens);
    if (!types.empty()) w.add("tokenizer.ggml.token_type", types);
    if (!scores.empty()) w.add("tokenizer.ggml.scores", scores);
    if (!merges.empty()) w.add("tokenizer.ggml.merges", merges);
    for (const auto& [name, id] : ids) w.add("tokenizer.ggml." + name, id);
    for (const auto& [name, flag] : flags) w.add("tokenizer.ggml." + name, flag);
    if (!suppressed.empty()) w.add("tokenizer.ggml.suppress_tokens", suppressed);
    return test::open_file(w);
  }
  std::unique_ptr<Tokenizer> load() const { return Tokenizer::load(file().metadata()); }
  std::string error() const {
    try {
      load();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::bad_input);
      return e.what();
    }
    return "no error";
  }
};

Ints plain(const Tokenizer& t, std::string_view text) {
  return t.encode(text, {.add_bos = false, .parse_special = false});
}

// As llama.cpp: by the model's name, and not behind these three.
TEST(Tokenizer, SpecialTokensOfPhi3TakeTheSpaceBehindThemAlong) {
  Vocab v;
  v.tokens = {"a", "\xc4\xa0", "\xc4\x8a", "<|end|>", "<s>", "</s>", "<|endoftext|>"};
  v.types = {1, 1, 1, 3, 3, 1, 3};
  v.merges = {"a a"};
  v.tokens.push_back("aa");
  v.types.push_back(1);
  const std::string text = "a <|end|> \n a<s> a<|endoftext|> a<|end|> <|end|>\n";
  const auto encode = [&] {
    return Tokenizer::load(v.file().metadata())->encode(text, {.parse_special = true});
  };
  const Ints plain{0, 1, 3, 1, 2, 1, 0, 4, 1, 0, 6, 1, 0, 3, 1, 3, 2};
  for (const char* other : {"", "Phi-4-mini", "phi 3"}) {
    v.general_name = other;
    EXPECT_EQ(encode(), plain) << other;
  }
  for (const char* phi : {"Phi-3.5 mini instruct", "my PHI3"}) {
    v.general_name = phi;
    EXPECT_EQ(encode(), Ints({0, 1, 3, 0, 4, 1, 0, 6, 1, 0, 3, 3})) << phi;
  }
}

TEST(Tokenizer, MergesByRankLeftmostFirst) {
  const auto t =
      Vocab{.tokens = {"a", "aa", "aaa", "b", "ba"}, .types = {}, .merges = {"a a", "b a", "aa a"}}
          .load();
  EXPECT_THAT(plain(*t, "aaaa"), ElementsAre(1, 1));
  EXPECT_THAT(plain(*t, "aaaaa"), ElementsAre(1, 2));
  EXPECT_THAT(plain(*t, "baaa"), ElementsAre(3, 2));
  EXPECT_THAT(plain(*t, "baba"), ElementsAre(4, 4));
  EXPECT_THAT(plain(*Vocab{}.load(), "abcd"), ElementsAre(6));
}

TEST(Tokenizer, TakesWholePiecesWhereThePreTokenizerSaysSo) {
  Vocab v{.tokens = {"a", "b", "ab", "aba"}, .types = {}, .merges = {"a b"}};
  EXPECT_THAT(plain(*v.load(), "aba"), ElementsAre(2, 0));
  v.pre = "llama-bpe";
  EXPECT_THAT(plain(*v.load(), "aba"), ElementsAre(3));
  v.pre = "tekken";
  EXPECT_THAT(plain(*v.load(), "aba"), ElementsAre(3));
}

TEST(Tokenizer, TakesMergesApartThatAreNoTokens) {
  const auto t =
      Vocab{.tokens = {"a", "b", "c", "abc"}, .types = {}, .merges = {"a b", "x y", "ab c"}}.load();
  EXPECT_THAT(plain(*t, "abab"), ElementsAre(0, 1, 0, 1));  // "ab" is no token
  EXPECT_THAT(plain(*t, "abc"), ElementsAre(3));            // but it may become one
}

TEST(Tokenizer, LeavesOutBytesThatTheVocabularyLacks) {
  EXPECT_THAT(plain(*Vocab{}.load(),
                    "a z\xff"
                    "b"),
              ElementsAre(0, 1));
}

TEST(Tokenizer, AddsBosAndEosWhereTheFileSaysSo) {
  Vocab v{.ids = {{"bos_token_id", 8}, {"eos_token_id", 7}}};
  EXPECT_THAT(v.load()->encode("ab"), ElementsAre(4));
  v.flags = {{"add_bos_token", true}, {"add_eos_token", true}};
  EXPECT_THAT(v.load()->encode("ab"), ElementsAre(8, 4, 7));
  EXPECT_THAT(v.load()->encode(""), ElementsAre(8, 7));
  EXPECT_THAT(v.load()->encode("ab", {.add_bos = false}), ElementsAre(4));
  v.ids = {};
  EXPECT_THAT(v.load()->encode("ab"), ElementsAre(4)) << "no ids are known";
}

TEST(Tokenizer, KnowsWhichFilesWantBosWithoutSaying) {
  Vocab v{.ids = {{"bos_token_id", 8}}};
  for (const auto& [pre, adds] : std::vector<std::pair<std::string, bool>>{{"llama-bpe", true},
                                                                           {"llama3", true},
                                                                           {"tekken", true},
                                                                           {"gpt-2", false},
                                                                           {"qwen2", false},
                                                                           {"smollm", false},
                                                                           {"dbrx", false}}) {
    v.pre = pre;
    EXPECT_EQ(v.load()->adds_bos(), adds) << pre;
  }
  const auto gemma =
      Tokenizer::load(test::open_file(test::small_vocabulary({.model = "gemma4"})).metadata());
  EXPECT_TRUE(gemma->adds_bos());
  auto writer = test::small_vocabulary({.model = "gemma4"});
  writer.add("tokenizer.ggml.add_bos_token", false);
  EXPECT_TRUE(Tokenizer::load(test::open_file(writer).metadata())->adds_bos())
      << "known to be wrong in conversions";
  const auto llama =
      Vocab{.model = "llama", .tokens = {"<unk>", "<s>", "</s>", "a"}, .types = {2, 3, 3, 1}}
          .load();
  EXPECT_THAT(llama->encode("a"), ElementsAre(1, 0, 3));  // the prefixed space is unknown
  EXPECT_EQ(llama->eos(), 2);
}

TEST(Tokenizer, CollectsTheEndsOfGeneration) {
  Vocab v{.tokens = {"a", "<|eot_id|>", "<|end|>", "<file>", "<|fim_pad|>", "<reponame>", "x", "y"},
          .types = {},
          .merges = {"a a"}};
  EXPECT_THAT(v.load()->end_tokens(), ElementsAre(1, 2, 4, 5));
  v.ids = {{"eos_token_id", 6}, {"eot_token_id", 7}, {"eom_token_id", 0}, {"fim_sep_token_id", 3}};
  EXPECT_THAT(v.load()->end_tokens(), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_TRUE(v.load()->is_end(6));
  EXPECT_EQ(v.load()->token_type(1), TokenType::control);
  EXPECT_EQ(v.load()->token_type(0), TokenType::normal);
}

TEST(Tokenizer, MessagesWithChannelsGoOnAfterTheirEnd) {
  const auto t = Vocab{
      .tokens = {"a", "<|end|>", "<|return|>", "<|call|>", "<|channel|>", "</s>"},
      .types = {1, 3, 3, 3, 3, 3},
      .merges = {
          "a a"}}.load();
  EXPECT_THAT(t->end_tokens(), ElementsAre(2, 3, 5));
  EXPECT_EQ(t->token_type(1), TokenType::user_defined);
  EXPECT_THAT(plain(*t, "a<|channel|>a<|end|>"), ElementsAre(0, 4, 0, 1));
  EXPECT_EQ(t->decode(std::vector<int32_t>{0, 4, 2}), "a<|channel|>");
}

TEST(Tokenizer, ToolResponsesMakeTheSentenceEndOrdinary) {
  const auto t =
      Vocab{.tokens = {"a", "</s>", "<|tool_response>"}, .types = {1, 1, 4}, .merges = {"a a"}}
          .load();
  EXPECT_THAT(t->end_tokens(), ElementsAre(2));
  EXPECT_EQ(t->token_type(1), TokenType::normal);
}

TEST(Tokenizer, MatchesControlTokensOnlyWhenAsked) {
  const auto t = Vocab{}.load();
  EXPECT_THAT(t->encode("ab<|im_end|>c"), ElementsAre(4, 7, 2));
  EXPECT_THAT(plain(*t, "ab<|im_end|>c"),
              ElementsAre(4, 3, 2));  // of "<|im_end|>" only "d" can be said
  EXPECT_EQ(t->decode(Ints{4, 7, 2}), "abc");
  EXPECT_EQ(t->decode(Ints{4, 7, 2}, true), "ab<|im_end|>c");
}

TEST(Tokenizer, TextNeverMergesIntoAControlToken) {
  const auto bpe =
      Vocab{.pre = "llama-bpe", .tokens = {"a", "b", "ab"}, .types = {1, 1, 3}, .merges = {"a b"}}
          .load();
  EXPECT_THAT(plain(*bpe, "ab"), ElementsAre(0, 1));
  EXPECT_THAT(bpe->encode("ab"), ElementsAre(2));
  const auto spm = Vocab{.model = "llama",
                         .tokens = {"<unk>", "a", "b", "ab"},
                         .types = {2, 1, 1, 3},
                         .merges = {},
                         .flags = {{"add_space_prefix", false}}}
                       .load();
  EXPECT_THAT(plain(*spm, "ab"), ElementsAre(1, 2));
}

TEST(Tokenizer, GivesThePiecesOfEveryKindOfToken) {
  const auto t = Vocab{
      .tokens = {"Ġa", "é", "ж", "<|x|>", "u v", "<0x41>", "pad"},
      .types = {1, 1, 1, 3, 4, 6, 5},
      .merges = {
          "a b"}}.load();
  Strings pieces;
  for (int32_t id = 0; id < t->n_tokens(); ++id) pieces.push_back(t->piece(id));
  EXPECT_THAT(pieces, ElementsAre(" a", "\xe9", "ж", "", "u v", "A", "pad"));
  EXPECT_EQ(t->piece(3, true), "<|x|>");
  EXPECT_THROW(t->piece(7), Error);
  EXPECT_THROW(t->decode(Ints{-1}), Error);
}

TEST(Tokenizer, SortsSuppressedTokens) {
  EXPECT_THAT((Vocab{.suppressed = {3, 1, 3, 0}}.load()->suppressed()), ElementsAre(0, 1, 3));
}

TEST(Tokenizer, EmptyTokensAreNeverFound) {
  const auto t =
      Vocab{.tokens = {"a", "", "", "b"}, .types = {1, 1, 4, 3}, .merges = {"a a"}}.load();
  EXPECT_THAT(t->encode("aab"), ElementsAre(0, 0, 3));
  EXPECT_EQ(t->find(""), std::nullopt);
  EXPECT_EQ(t->piece(1), "");
}

TEST(Tokenizer, TextAtTheLimitOfLengthIsTheLimit) {
  const char letter = 'a';
  const std::string_view too_long(&letter, Tokenizer::kMaxText + 1);  // never read
  EXPECT_THROW(Vocab{}.load()->encode(too_long), Error);
}

TEST(HostileVocabulary, IsRefusedWithFileKeyAndReason) {
  const std::pair<Vocab, const char*> cases[] = {
      {{.model = "bert"}, "tokenizer.ggml.model: expected gpt2, llama or gemma4, got \"bert\""},
      {{.pre = "new-model"}, "tokenizer.ggml.pre: expected one of gpt-2, phi-2"},
      {{.pre = "new-model"}, "got \"new-model\""},
      {{.tokens = {}, .types = {}}, "tokenizer.ggml.tokens: expected 1 to 1000000 tokens, got 0"},
      {{.types = {1, 1}}, "tokenizer.ggml.token_type: expected an array of 9 elements"},
      {{.types = Ints(10, 1)}, "got 10 elements"},
      {{.scores = {1}}, "tokenizer.ggml.scores: expected an array of 9 elements"},
      {{.types = {1, 1, 1, 1, 1, 1, 1, 7, 1}},
       "token_type: expected a type of 1..6 for token 7, got 7"},
      {{.types = {1, 1, 1, 1, 1, 1, 1, 1, 0}}, "for token 8, got 0"},
      {{.types = {-1, 1, 1, 1, 1, 1, 1, 1, 0}}, "for token 0, got -1"},
      {{.tokens = {"a", "b", "a"}, .types = {}},
       "expected every token once, got \"a\" as token 0 and as token 2"},
      {{.merges = {"a b", "ab"}},
       "tokenizer.ggml.merges: expected two strings with a space between as merge 1, got \"ab\""},
      {{.merges = {"a "}}, "got \"a \""},
      {{.merges = {""}}, "got \"\""},
      {{.merges = {}}, "tokenizer.ggml.merges"},
      {{.ids = {{"bos_token_id", 9}}}, "tokenizer.ggml.bos_token_id"},
      {{.ids = {{"eot_token_id", UINT32_MAX}}}, "tokenizer.ggml.eot_token_id"},
      {{.suppressed = {0, 9}}, "tokenizer.ggml.suppress_tokens: expected token ids of 0..8, got 9"},
      {{.suppressed = {-1}}, "got -1"},
  };
  for (const auto& [vocab, message] : cases) {
    EXPECT_THAT(vocab.error(), HasSubstr(message));
    EXPECT_THAT(vocab.error(), HasSubstr("small.gguf"));
  }
}

TEST(HostileVocabulary, SpecialTokensOfMegabytesAreRefused) {
  Vocab v{.tokens = {"a", std::string(1000001, 'x')}, .types = {1, 4}, .merges = {"a a"}};
  EXPECT_THAT(v.error(), HasSubstr("expected special tokens of at most 600000 bytes"));
}

TEST(HostileVocabulary, HundredsOfThousandsOfSpecialTokensWork) {
  constexpr int kTokens = 190000;
  Vocab v{.tokens = {}, .types = Ints(kTokens, 4), .merges = {"a a"}};
  for (int i = 0; i < kTokens; ++i) v.tokens.push_back(fmt::format("<|audio_{}|>", i));
  const auto t = v.load();
  std::string text;
  for (int i = 0; i < kTokens; i += 10) text += fmt::format("<|audio_{}|> ", i);
  const auto ids = plain(*t, text);
  ASSERT_EQ(ids.size(), 19000u);
  EXPECT_EQ(ids[777], 7770);
}

// A tenth of a megabyte of one thing. Quadratic work would take minutes.
TEST(LongRuns, TakeNoLongerThanOtherText) {
  const Strings units = {"a",    " ",    "\n",  "🦙", "7",      "'", "ab",     "aB",
                         " \t",  "\r\n", "A",   "中",   "\u0301", "!", "'s",     "\x80",
                         "\xe2", "▁",    " \n", "a ",   "Жa",     "<", "<|turn·"};
  for (const auto& [name, options] : test::reference_vocabularies()) {
    const auto t = Tokenizer::load(test::open_file(test::small_vocabulary(options)).metadata());
    for (const auto& unit : units) {
      std::string text;
      while (text.size() < 100000) text += unit;
      const auto ids = t->encode(text + "x", {.add_bos = false});
      if (unit == "▁" && t->model() != "gpt2") continue;
      EXPECT_TRUE(t->decode(ids) == text + "x") << name << " " << unit;
    }
  }
}

}  // namespace
}  // namespace plumb
