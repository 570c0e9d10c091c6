// Token ids against reference data made by llama.cpp and tiktoken: see
// tools/make_tokenizer_reference.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "support/small_vocabulary.h"
#include "support/tokenizer_texts.h"
#include "text/ids_hash.h"
#include "text/tokenizer.h"

namespace plumb {
namespace {

constexpr size_t kPerHash = 10;

struct Line {
  std::string vocabulary, set;
  bool special;
  std::vector<std::string> hashes;
};

std::vector<Line> read_reference() {
  std::vector<Line> out;
  for (const auto& text : test::read_lines("reference.txt")) {
    std::istringstream words(text);
    Line& line = out.emplace_back();
    std::string mode, hash;
    words >> line.vocabulary >> line.set >> mode;
    line.special = mode == "special";
    while (words >> hash) line.hashes.push_back(hash);
  }
  return out;
}

class Reference : public testing::TestWithParam<test::NamedVocabulary> {
 protected:
  const gguf::File file_ = test::open_file(test::small_vocabulary(GetParam().options));
  const std::unique_ptr<Tokenizer> tokenizer_ = Tokenizer::load(file_.metadata());
};

TEST_P(Reference, IdsAreTheSame) {
  std::map<std::string, std::vector<std::string>> texts;
  for (auto& set : test::reference_texts()) texts[set.name] = set.texts;
  size_t n_lines = 0;
  for (const auto& line : read_reference()) {
    if (line.vocabulary != GetParam().name) continue;
    ++n_lines;
    const auto& set = texts.at(line.set);
    ASSERT_EQ(line.hashes.size() * kPerHash, set.size());
    for (size_t i = 0; i < line.hashes.size(); ++i) {
      test::IdsHash fnv;
      for (size_t k = 0; k < kPerHash; ++k)
        fnv.add(tokenizer_->encode(set[i * kPerHash + k],
                                   {.add_bos = false, .parse_special = line.special}));
      EXPECT_EQ(fnv.hex(), line.hashes[i])
          << line.set << " from text " << i * kPerHash << ": " << set[i * kPerHash];
    }
  }
  EXPECT_GE(n_lines, 4u);
}

TEST_P(Reference, TextsComeBack) {
  for (const auto& set : test::reference_texts()) {
    for (const auto& text : set.texts) {
      if (tokenizer_->model() != "gpt2" && text.find("\u2581") != text.npos)
        continue;  // is a space to these
      for (const bool special : {false, true}) {
        const auto ids = tokenizer_->encode(text, {.add_bos = false, .parse_special = special});
        EXPECT_EQ(tokenizer_->decode(ids, special), text);
      }
    }
  }
}

std::string test_name(const testing::TestParamInfo<test::NamedVocabulary>& vocabulary) {
  std::string name = vocabulary.param.name;
  std::ranges::replace(name, '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Small, Reference, testing::ValuesIn(test::reference_vocabularies()),
                         test_name);

}  // namespace
}  // namespace plumb
