// Real vocabularies against llama.cpp: test vectors (files of texts and files of their ids), and
// the whole WikiText-2 test text.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "support/small_vocabulary.h"
#include "support/smollm2.h"
#include "text/ids_hash.h"
#include "text/tokenizer.h"

namespace plumb {
namespace {

const std::filesystem::path kVectors =
    std::filesystem::path(PLUMB_SOURCE_DIR) / "../shared/fixtures/vocab";

// Where tools/make_vocab_gguf.py put its files, if anybody says so.
std::filesystem::path made_vocabularies() {
  const char* folder = std::getenv("PLUMB_VOCABULARIES");
  return folder ? folder : "";
}

struct Case {
  std::filesystem::path vocabulary;
  std::string vectors;  // NAME.inp, NAME.out
  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.vectors; }
};

std::vector<std::string> read_texts(const std::filesystem::path& path) {
  constexpr std::string_view separator = "\n__ggml_vocab_test__\n";
  std::string all = read_file(path);
  std::vector<std::string> out;
  for (size_t at; (at = all.find(separator)) != all.npos; all.erase(0, at + separator.size()))
    out.push_back(all.substr(0, at));
  return out;
}

std::vector<std::vector<int32_t>> read_ids(const std::filesystem::path& path) {
  std::vector<std::vector<int32_t>> out;
  std::istringstream lines(read_file(path));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream numbers(line);
    auto& ids = out.emplace_back();
    for (int32_t id; numbers >> id;) ids.push_back(id);
  }
  return out;
}

class Vectors : public testing::TestWithParam<Case> {};

TEST_P(Vectors, GiveTheReferenceIds) {
  const auto& [vocabulary, vectors] = GetParam();
  if (!exists(vocabulary)) GTEST_SKIP() << vocabulary << " is not there";
  if (!exists(kVectors)) GTEST_SKIP() << kVectors << " is not there";
  const auto file = gguf::File::open(vocabulary);
  const auto tokenizer = Tokenizer::load(file.metadata());
  const auto texts = read_texts(kVectors / (vectors + ".inp"));
  const auto expected = read_ids(kVectors / (vectors + ".out"));
  ASSERT_GE(texts.size(), 40u);
  ASSERT_EQ(texts.size(), expected.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto ids = tokenizer->encode(texts[i], {.add_bos = false, .parse_special = false});
    EXPECT_EQ(ids, expected[i]) << texts[i];
    EXPECT_EQ(tokenizer->decode(ids), texts[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Fixtures, Vectors,
    testing::Values(Case{kVectors / "ggml-vocab-gpt-2.gguf", "ggml-vocab-gpt-2.gguf"},
                    Case{kVectors / "ggml-vocab-llama-spm.gguf", "ggml-vocab-llama-spm.gguf"},
                    Case{made_vocabularies() / "llama3.gguf", "llama-bpe"},
                    Case{made_vocabularies() / "qwen2.gguf", "qwen2"}));

// A line of whole.txt: a vocabulary's file name, the number of ids, their hash.
struct Whole {
  std::string vocabulary, hash;
  size_t n_ids;
  friend std::ostream& operator<<(std::ostream& out, const Whole& w) { return out << w.vocabulary; }
};

std::vector<Whole> read_whole() {
  std::vector<Whole> out;
  for (const auto& line : test::read_lines("whole.txt")) {
    std::istringstream words(line);
    Whole& w = out.emplace_back();
    words >> w.vocabulary >> w.n_ids >> w.hash;
  }
  return out;
}

class WholeText : public testing::TestWithParam<Whole> {};

TEST_P(WholeText, GivesTheReferenceIdsAndComesBack) {
  const auto path = kVectors / "../text/wikitext2_test.txt";
  if (!exists(path)) GTEST_SKIP() << path << " is not there";
  for (const auto& folder : {kVectors, made_vocabularies(), test::smollm2_path().parent_path()}) {
    if (!exists(folder / GetParam().vocabulary)) continue;
    const auto file = gguf::File::open(folder / GetParam().vocabulary);
    const auto tokenizer = Tokenizer::load(file.metadata());
    const std::string text = read_file(path);
    const auto ids = tokenizer->encode(text, {.add_bos = false, .parse_special = false});
    test::IdsHash hash;
    hash.add(ids);
    EXPECT_EQ(ids.size(), GetParam().n_ids);
    EXPECT_EQ(hash.hex(), GetParam().hash);
    EXPECT_TRUE(tokenizer->decode(ids) == text);
    return;
  }
  GTEST_SKIP() << GetParam().vocabulary << " is not there";
}

INSTANTIATE_TEST_SUITE_P(WikiText2, WholeText, testing::ValuesIn(read_whole()));

}  // namespace
}  // namespace plumb
