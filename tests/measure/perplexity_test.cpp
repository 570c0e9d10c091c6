#include "measure/perplexity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "measure/kl_base.h"
#include "support/temp_folder.h"

namespace plumb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <typename Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input);
    return e.what();
  }
  return "";
}

TEST(Windows, AreCutFromTheStartAndBeginWithTheBeginToken) {
  Windows windows({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 5, 99);
  EXPECT_EQ(windows.size(), 2);
  EXPECT_EQ(windows.first_scored(), 2);
  EXPECT_EQ(windows.scored_tokens(), 4);  // positions 2 and 3 of each say what follows
  EXPECT_THAT(windows.ids(1), ElementsAre(99, 7, 8, 9, 10));
  EXPECT_THAT(windows.text_ids(1), ElementsAre(6, 7, 8, 9, 10));
  EXPECT_EQ(Windows({1, 2, 3, 4, 5, 6}, 3, -1, 1).size(), 1);
  EXPECT_EQ(Windows({1, 2, 3}, 3, -1).scored_tokens(), 1);
  EXPECT_THAT(Windows({1, 2, 3, 4}, 4, -1).ids(0), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(message_of([] {
                Windows({1, 2, 3}, 4, -1);
              }),
              HasSubstr("at least one window of 4 tokens (-c), got 3"));
  EXPECT_THAT(message_of([] {
                Windows({1, 2, 3, 4}, 2, -1);
              }),
              HasSubstr("-c: expected a window of at least 3 tokens"))
      << "nothing of it would be scored";
}

TEST(Perplexity, IsTheExponentialOfTheMean) {
  const std::vector<double> nll = {std::log(2.0), std::log(8.0)};
  const Perplexity p = perplexity_of(nll);
  EXPECT_NEAR(p.ppl.value, 4, 1e-12);
  // Half the range of two samples is the error of their mean.
  EXPECT_NEAR(p.ppl.error, 4 * std::log(2.0), 1e-12);
  EXPECT_EQ(p.tokens, 2);
}

TEST(Distribution, IsThatOfTheLogits) {
  const std::vector<float> logits = {1000, 1000 + std::log(3.0f), -1e30f};
  const Distribution d(logits);
  EXPECT_NEAR(d.ln_p(0), std::log(0.25), 1e-4);
  EXPECT_NEAR(d.ln_p(1), std::log(0.75), 1e-4);
  EXPECT_EQ(d.top(), 1);
}

// Closed forms of two coins.
TEST(Divergence, IsWhatItsDefinitionSays) {
  const std::vector<float> fair = {0, 0}, biased = {0, std::log(3.0f)};
  const Divergence d = diverge(Distribution(fair), Distribution(biased), 1);
  EXPECT_NEAR(d.kld, 0.5 * std::log(0.5 / 0.25) + 0.5 * std::log(0.5 / 0.75), 1e-7);
  EXPECT_NEAR(d.delta_p, 0.25, 1e-7);
  EXPECT_FALSE(d.same_top);
  const Divergence none = diverge(Distribution(biased), Distribution(biased), 0);
  EXPECT_EQ(none.kld, 0);
  EXPECT_EQ(none.delta_p, 0);
  EXPECT_TRUE(none.same_top);
}

TEST(Quality, MeansPercentilesAndErrors) {
  std::vector<Divergence> divergences;
  std::vector<double> base, tested;
  for (int i = 0; i <= 100; ++i) {
    divergences.push_back({.kld = (100 - i) / 100.0, .delta_p = 0.1, .same_top = i % 4 != 0});
    base.push_back(1 + i % 2);
    tested.push_back(1.5 + i % 2);
  }
  const Quality q = quality_of(divergences, base, tested);
  EXPECT_NEAR(q.kld.value, 0.5, 1e-12);
  EXPECT_NEAR(q.kld.error, std::sqrt((101.0 * 101 - 1) / 12 / 1e4 / 100), 1e-12);
  EXPECT_NEAR(q.kld_median.value, 0.5, 1e-12);
  EXPECT_NEAR(q.kld_median.error, std::sqrt(0.25 / 101), 1e-12);
  EXPECT_NEAR(q.kld_p90.value, 0.9, 1e-12);
  EXPECT_NEAR(q.kld_p90.error, std::sqrt(0.09 / 101), 1e-12);
  EXPECT_NEAR(q.kld_p999.value, 0.999, 1e-12);
  EXPECT_NEAR(q.kld_p999.error, (1 - 0.999 + std::sqrt(0.000999 / 101)) / 2, 1e-12)
      << "nothing lies above the largest";
  EXPECT_EQ(q.kld_max, 1);
  EXPECT_NEAR(q.same_top.value, 75.0 / 101, 1e-12);
  EXPECT_NEAR(q.delta_p.value, 0.1, 1e-12);
  EXPECT_NEAR(q.delta_p_rms.value, 0.1, 1e-12);
  // The noise that both share is not in the error of the ratio.
  EXPECT_NEAR(q.ln_ratio.value, 0.5, 1e-12);
  EXPECT_NEAR(q.ln_ratio.error, 0, 1e-12);
  EXPECT_GT(q.base.ppl.error, 0.1);
}

class KlBase : public testing::Test {
 protected:
  KlBase() : windows_({1, 2, 3, 4, 5, 6, 7, 8}, 4, -1) {
    KlBaseWriter writer(path(), windows_, 3);
    for (int64_t i = 0; i < windows_.scored_tokens(); ++i) writer.add(row(i), 2);
    writer.commit();
    bytes_ = read_file(path());
  }
  std::filesystem::path path() const { return folder_.path() / "base"; }
  static std::vector<float> row(int64_t i) { return {static_cast<float>(i), 5, -40}; }
  std::string refusal(const std::string& bytes) {
    write_file(path(), bytes);
    return message_of([&] {
      KlBaseReader reader(path(), windows_, 3);
      for (int64_t i = 0; i < windows_.scored_tokens(); ++i) reader.ln_p(reader.next(), 2);
    });
  }

  test::TempFolder folder_;
  Windows windows_;
  std::string bytes_;
};

TEST_F(KlBase, GivesTheDistributionsBack) {
  KlBaseReader reader(path(), windows_, 3);
  for (int64_t i = 0; i < windows_.scored_tokens(); ++i) {
    const std::vector<float> written = row(i);
    const Distribution expected(written), got = reader.next();
    for (int32_t id = 0; id < 2; ++id) EXPECT_NEAR(got.ln_p(id), expected.ln_p(id), 2e-4);
    EXPECT_NEAR(got.ln_p(2), expected.ln_p(1) - 16, 1e-3) << "16 below the largest, no deeper";
    EXPECT_TRUE(got.knows(0) && got.knows(1));
    EXPECT_FALSE(got.knows(2));
  }
}

// One likely id and 100000 that are no more than 16 nats below it in the record, 30 in truth: as
// real ones they would be 1.1 % of all.
TEST(KlBaseOfPeaks, IsEqualToItself) {
  constexpr int32_t kVocab = 100000;
  const test::TempFolder folder;
  const auto path = folder.path() / "peaks";
  Windows windows({1, 2, 3, 4}, 4, -1);
  std::vector<float> logits(kVocab, -30.0f);
  logits[7] = 0;
  logits[8] = -2;
  KlBaseWriter writer(path, windows, kVocab);
  writer.add(logits, 9);
  writer.commit();
  KlBaseReader reader(path, windows, kVocab);
  const Distribution truth(logits), base = reader.next();
  const Divergence d = diverge(base, truth, 8);
  EXPECT_NEAR(d.kld, 0, 1e-4);
  EXPECT_NEAR(d.delta_p, 0, 1e-4);
  EXPECT_TRUE(d.same_top);
  EXPECT_NEAR(base.ln_p(8), truth.ln_p(8), 1e-4);
  EXPECT_NEAR(reader.ln_p(base, 9), truth.ln_p(9), 1e-4) << "deeper than a row says";
  EXPECT_EQ(reader.cut_off(), 0);
  // Against something else the exact formula, of which what was not recorded is nothing.
  std::vector<float> other = logits;
  other[8] = -1;
  const Distribution tested(other);
  EXPECT_NEAR(diverge(base, tested, 8).kld, diverge(truth, tested, 8).kld, 1e-4);
}

// As llama.cpp writes it.
TEST_F(KlBase, WithoutTheTokensThatFollow) {
  const size_t more = 8 + static_cast<size_t>(windows_.scored_tokens()) * 4;
  write_file(path(), bytes_.substr(0, bytes_.size() - more));
  KlBaseReader reader(path(), windows_, 3);
  const Distribution first = reader.next();
  EXPECT_EQ(reader.ln_p(first, 1), first.ln_p(1));
  EXPECT_EQ(reader.cut_off(), 0);
  EXPECT_EQ(reader.ln_p(first, 2), first.ln_p(2));
  EXPECT_EQ(reader.cut_off(), 1);
}

TEST_F(KlBase, RefusesWhatWasMadeForSomethingElse) {
  Windows other_text({1, 2, 3, 4, 5, 6, 7, 9}, 4, -1), other_cut({1, 2, 3, 4, 5, 6, 7, 8}, 3, -1);
  EXPECT_THAT(message_of([&] { KlBaseReader(path(), other_text, 3); }),
              HasSubstr("base: expected the tokens of this text, got others in window 1"));
  EXPECT_THAT(message_of([&] { KlBaseReader(path(), other_cut, 3); }),
              HasSubstr("tokens of a window: expected 3, got 4"));
  EXPECT_THAT(message_of([&] { KlBaseReader(path(), windows_, 4); }),
              HasSubstr("tokens of the vocabulary: expected 4, got 3"));
}

TEST_F(KlBase, RefusesWhatIsBroken) {
  EXPECT_EQ(refusal(bytes_), "");
  const size_t rows_end = bytes_.size() - 8 - static_cast<size_t>(windows_.scored_tokens()) * 4;
  for (size_t n = 0; n < bytes_.size(); ++n)
    EXPECT_THAT(refusal(bytes_.substr(0, n)), HasSubstr(n == rows_end ? "" : "[kl-base] ")) << n;
  EXPECT_THAT(refusal(bytes_ + "x"), HasSubstr("bytes: expected "));
  for (size_t at = 0; at < bytes_.size(); ++at)
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      std::string flipped = bytes_;
      flipped[at] = static_cast<char>(flipped[at] ^ flip);
      const std::string message = refusal(flipped);
      EXPECT_TRUE(message.empty() || message.starts_with("[kl-base] ")) << at << message;
      EXPECT_EQ(message.empty(), at >= 20 + 8 * 4 && message.empty()) << at;
    }
}

TEST_F(KlBase, RefusesNumbersThatNoWriterWrites) {
  const size_t row = 20 + 8 * 4;
  const auto with = [&](size_t at, float number) {
    std::string broken = bytes_;
    std::memcpy(broken.data() + at, &number, sizeof number);
    return refusal(broken);
  };
  for (const float scale : {-1e-4f, 1e30f, 0.001f, INFINITY, NAN})
    EXPECT_THAT(with(row, scale), HasSubstr("base: byte 52: expected a scale from 0")) << scale;
  for (const float smallest : {-1e30f, 1.0f, 1e30f, -INFINITY, NAN})
    EXPECT_THAT(with(row + 4, smallest), HasSubstr("base: byte 56: expected a smallest logarithm"))
        << smallest;
  EXPECT_THAT(with(bytes_.size() - 4, -3.0f), HasSubstr("base: byte 96: expected -16.0"));
  EXPECT_THAT(with(bytes_.size() - 4, NAN), HasSubstr("base: byte 96: expected"));
  EXPECT_THAT(with(row + 4, -17.0f), HasSubstr("base: byte 52: expected probabilities that add"));
}

}  // namespace
}  // namespace plumb
