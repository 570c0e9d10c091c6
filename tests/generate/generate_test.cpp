// The token loop on a tiny model whose sampler is told what to say: tokens with falling biases,
// each forbidden by the presence penalty once it was said.
#include "generate/generate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "base/error.h"
#include "base/text.h"
#include "support/temp_folder.h"
#include "support/tiny_model.h"

namespace plumb {
namespace {

constexpr int32_t kEnd = 2;  // <|im_end|>
int32_t token_of(char byte) {
  return 3 + static_cast<unsigned char>(byte);
}

class Generate : public ::testing::Test {
 protected:
  Generate() : engine_(open({})), session_(engine_) {}

  Engine open(const PlanOptions& plan, const BackendOptions& where = {.name = "reference"}) {
    const auto path = folder_.path() / "tiny.gguf";
    test::tiny_llama().write(path);
    return Engine(path, {.backend = where, .plan = plan});
  }

  // Says the bytes in order (all different, none in the prompt), then ends.
  Sampler script(std::string_view bytes, bool ends = true) {
    SamplerOptions o{.temperature = 0, .repeat_last_n = -1, .presence_penalty = 1e6f};
    float bias = 1e5f;
    for (const char b : bytes) o.logit_bias.push_back({token_of(b), bias -= 100});
    if (ends) o.logit_bias.push_back({kEnd, bias - 100});
    return make_sampler(engine_, o);
  }
  Sampler greedy() { return make_sampler(engine_, {.temperature = 0}); }

  Generation say(Sampler& sampler, const GenerateOptions& options = {}) {
    return generate(session_, sampler, prompt_, options,
                    [&](std::string_view text) { pieces_.emplace_back(text); });
  }
  std::string heard() const {
    std::string all;
    for (const std::string& p : pieces_) all += p;
    return all;
  }

  test::TempFolder folder_;
  Engine engine_;
  Session session_;
  std::vector<int32_t> prompt_{1, 200, 201, 202};
  std::vector<std::string> pieces_;
};

TEST_F(Generate, SaysWhatIsSampledAndStopsAtTheEnd) {
  Sampler sampler = script("Hi, you!");
  const Generation g = say(sampler);
  EXPECT_EQ(g.text, "Hi, you!");
  EXPECT_EQ(heard(), g.text);
  EXPECT_EQ(g.stop, StopReason::eos);
  EXPECT_EQ(g.ids.size(), 8u);
  EXPECT_EQ(g.decoded_tokens, 8);
  EXPECT_EQ(g.prompt_tokens, 4);
  EXPECT_EQ(g.fed_tokens, 4);
  EXPECT_EQ(session_.ids().size(), 12u);
  EXPECT_GT(g.prompt_seconds, 0);
  EXPECT_GT(g.generate_seconds, 0);
}

TEST_F(Generate, GreedyIsTheLargestLogitTokenByToken) {
  Sampler sampler = greedy();
  const Generation g = say(sampler, {.max_tokens = 10});
  Engine other = open({});
  Session session(other);
  session.feed(prompt_);
  std::vector<int32_t> ids;
  for (int i = 0; i < 10; ++i) {
    const auto logits = session.logits();
    ids.push_back(
        static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
    session.feed({&ids.back(), 1});
  }
  EXPECT_EQ(g.ids, ids);
  EXPECT_EQ(g.stop, StopReason::length);
  EXPECT_EQ(g.decoded_tokens, 9) << "the last token is sampled and not fed";
}

TEST_F(Generate, LogitsOfEveryTokenEndInThoseOfTheLast) {
  Engine other = open({.max_batch = 3, .max_logits = 3});
  Session session(other);
  session.feed(prompt_, nullptr, Session::LogitsOf::every);  // three and one
  session_.feed(prompt_);
  EXPECT_TRUE(std::ranges::equal(session.logits(), session_.logits()));
  session.truncate(0);
  session.feed(std::span(prompt_).first(2), nullptr, Session::LogitsOf::every);
  session_.truncate(0);
  session_.feed(std::span(prompt_).first(1));
  EXPECT_TRUE(std::ranges::equal(other.executable().logits(0), session_.logits()));
  session_.feed(std::span(prompt_).subspan(1, 1));
  EXPECT_TRUE(std::ranges::equal(session.logits(), session_.logits()));
}

TEST_F(Generate, NeverGivesHalfACharacter) {
  Sampler sampler = script("a\xC3\xB6z\xE2\x82\xAC!");
  EXPECT_EQ(say(sampler).text, "aöz€!");
  for (const std::string& piece : pieces_) EXPECT_TRUE(is_utf8(piece)) << plumb::quoted(piece);
  EXPECT_EQ(heard(), "aöz€!");
}

TEST_F(Generate, StopStringsAcrossTokensAndCharacters) {
  for (const auto& [stop, text] : std::vector<std::pair<std::string, std::string>>{
           {"öz", "a"}, {"z€", "aö"}, {"€!", "aöz"}, {"a", ""}, {"!", "aöz€"}, {"zz", "aöz€!"}}) {
    pieces_.clear();
    Sampler sampler = script("a\xC3\xB6z\xE2\x82\xAC!");
    const Generation g = say(sampler, {.stop = {"never said", stop}});
    EXPECT_EQ(g.text, text) << stop;
    EXPECT_EQ(heard(), text) << stop;
    for (const std::string& piece : pieces_) EXPECT_TRUE(is_utf8(piece)) << plumb::quoted(piece);
    EXPECT_EQ(g.stop, stop == "zz" ? StopReason::eos : StopReason::stop_string) << stop;
  }
}

TEST_F(Generate, HalfACharacterAtTheEndComesAsItIs) {
  Sampler sampler = script("a\xE2\x82");
  EXPECT_EQ(generate(session_, sampler, prompt_, {}, [](auto) {}).text, "a\xE2\x82");
}

TEST_F(Generate, StopsAtMaxTokens) {
  Sampler sampler = script("abcdef");
  const Generation g = say(sampler, {.max_tokens = 3});
  EXPECT_EQ(g.text, "abc");
  EXPECT_EQ(g.stop, StopReason::length);
  Sampler none = script("abc");
  pieces_.clear();
  const Generation nothing = say(none, {.max_tokens = 0});
  EXPECT_EQ(nothing.text + heard(), "");
  EXPECT_EQ(nothing.stop, StopReason::length);
  EXPECT_EQ(session_.ids().size(), prompt_.size()) << "the prompt is read all the same";
}

TEST_F(Generate, InterruptKeepsWhatWasSaidAndTheSessionGoesOn) {
  Sampler sampler = script("abcdef");
  std::string said;
  std::atomic<bool> stop{false};
  const auto hear = [&](std::string_view text) {
    said += text;
    stop = said == "abc";
  };
  const Generation g = generate(session_, sampler, prompt_, {.stop_request = &stop}, hear);
  EXPECT_EQ(g.stop, StopReason::interrupt);
  EXPECT_EQ(g.text, "abc");
  prompt_.insert(prompt_.end(), {token_of('a'), token_of('b'), 210, 211});
  Sampler again = script("xyz");
  const Generation next = say(again);
  EXPECT_EQ(next.text, "xyz");
  EXPECT_EQ(next.reused_tokens, 6);
  EXPECT_EQ(next.fed_tokens, 2);
}

TEST_F(Generate, ALongPromptCanBeInterrupted) {
  const std::atomic<bool> stop{true};
  Sampler sampler = greedy();
  const Generation g = say(sampler, {.stop_request = &stop});
  EXPECT_EQ(g.stop, StopReason::interrupt);
  EXPECT_EQ(g.fed_tokens, 0);
  EXPECT_TRUE(g.ids.empty());
  EXPECT_EQ(engine_.executable().length(0), 0);
  const Generation again = say(sampler, {.max_tokens = 6});
  Engine other = open({});
  Session session(other);
  Sampler same = greedy();
  EXPECT_EQ(again.ids, generate(session, same, prompt_, {.max_tokens = 6}, [](auto) {}).ids);
}

// Asked to stop from another thread, at any moment: what is held then is a prefix of the prompt,
// and going on from it gives what a fresh session gives.
TEST_F(Generate, AStopAtAnyMomentLeavesAValidSession) {
  prompt_.clear();
  for (int32_t i = 0; i < 120; ++i) prompt_.push_back(3 + i * 7 % 250);
  for (const std::string backend : {"reference", "cpu"}) {
    BackendOptions where{.name = backend, .n_threads = 3};
    Engine fresh = open({.max_batch = 16}, where), engine = open({.max_batch = 16}, where);
    Session fresh_session(fresh);
    fresh_session.feed(prompt_);
    const auto expected = fresh_session.logits();
    int given_up = 0;
    for (int delay = 0; delay < 40; ++delay) {
      Session session(engine);
      session.truncate(0);
      std::atomic<bool> stop{false};
      std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::microseconds(delay * 50));
        stop = true;
      });
      const bool done = session.feed(prompt_, &stop);
      other.join();
      const auto held = session.ids();
      ASSERT_EQ(static_cast<int64_t>(held.size()), engine.executable().length(0));
      ASSERT_TRUE(std::equal(held.begin(), held.end(), prompt_.begin()));
      if (done) continue;
      ++given_up;
      session.feed(std::span(prompt_).subspan(session.ids().size()));
      const auto got = session.logits();
      ASSERT_TRUE(std::equal(got.begin(), got.end(), expected.begin())) << backend << " " << delay;
    }
    EXPECT_GT(given_up, 0) << backend;
  }
}

TEST_F(Generate, PromptsFedInPiecesGiveTheSame) {
  Sampler sampler = greedy();
  const Generation whole = say(sampler, {.max_tokens = 8});
  for (const int64_t piece : {1, 2, 3}) {
    Engine other = open({});
    Session session(other);
    Sampler same = make_sampler(other, {.temperature = 0});
    const auto g =
        generate(session, same, prompt_, {.max_tokens = 8, .feed_tokens = piece}, [](auto) {});
    EXPECT_EQ(g.ids, whole.ids);
  }
}

TEST_F(Generate, EndsWhereTheContextIsFull) {
  Engine small = open({.n_positions = 10});
  Session session(small);
  Sampler sampler = make_sampler(small, {.temperature = 0}, true);
  const auto quiet = [](std::string_view) {};
  const Generation g = generate(session, sampler, prompt_, {}, quiet);
  EXPECT_EQ(g.stop, StopReason::length);
  EXPECT_EQ(g.ids.size(), 7u) << "six are fed, one more is known";
  EXPECT_EQ(session.room(), 0);
  prompt_.resize(10, 100);
  EXPECT_EQ(generate(session, sampler, prompt_, {}, quiet).ids.size(), 1u);
  prompt_.resize(11, 100);
  EXPECT_THROW(generate(session, sampler, prompt_, {}, quiet), Error);
  EXPECT_THROW(generate(session, sampler, {}, {}, quiet), Error);
}

TEST_F(Generate, IgnoredEndTokensAreNeverSampled) {
  SamplerOptions wants_end{.temperature = 0, .logit_bias = {{kEnd, 1e4f}}};
  Sampler ends = make_sampler(engine_, wants_end);
  EXPECT_EQ(say(ends).stop, StopReason::eos);
  Sampler goes_on = make_sampler(engine_, wants_end, true);
  const Generation g = say(goes_on, {.max_tokens = 20});
  EXPECT_EQ(g.stop, StopReason::length);
  EXPECT_EQ(g.ids.size(), 20u);
}

TEST_F(Generate, PenaltiesSeeThePrompt) {
  SamplerOptions o{
      .temperature = 0, .presence_penalty = 1e6f, .logit_bias = {{201, 1e4f}, {120, 1e3f}}};
  Sampler sampler = make_sampler(engine_, o);
  EXPECT_EQ(say(sampler, {.max_tokens = 1}).ids, std::vector<int32_t>{120})
      << "201 is in the prompt";
}

TEST_F(Generate, SameSeedSameText) {
  const auto text = [&](uint64_t seed) {
    Sampler sampler = make_sampler(engine_, {.temperature = 2, .seed = seed}, true);
    return generate(session_, sampler, prompt_, {.max_tokens = 30}, [](auto) {}).ids;
  };
  EXPECT_EQ(text(1), text(1));
  EXPECT_NE(text(1), text(2));
}

TEST(StopReasons, HaveTheNamesOfTheContract) {
  EXPECT_EQ(stop_reason_name(StopReason::eos), "eos");
  EXPECT_EQ(stop_reason_name(StopReason::length), "length");
  EXPECT_EQ(stop_reason_name(StopReason::interrupt), "interrupt");
}

TEST(RequireMemory, SaysWhatNeedsLess) {
  const auto refused = [](const Memory& memory) -> std::string {
    try {
      require_memory("m.gguf", memory, 7);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  constexpr int64_t kTooMuch = INT64_MAX / 4;
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(refused({.kv = kTooMuch}), "smaller -c")) << refused({.kv = kTooMuch});
  EXPECT_TRUE(has(refused({.weights = kTooMuch}), "--no-repack"));
  EXPECT_EQ(refused({.weights = 1}), "");
}

}  // namespace
}  // namespace plumb
