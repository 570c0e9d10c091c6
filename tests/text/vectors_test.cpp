// The tokenizer against test vectors made by llama.cpp: files of texts and files of their ids.
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "text/tokenizer.h"

namespace plumb {
namespace {

const std::filesystem::path kVocab =
    std::filesystem::path(PLUMB_SOURCE_DIR) / "../shared/fixtures/vocab";

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

class Vectors : public testing::TestWithParam<const char*> {};

TEST_P(Vectors, GiveTheReferenceIds) {
  const std::string name = std::string("ggml-vocab-") + GetParam() + ".gguf";
  if (!exists(kVocab / name)) GTEST_SKIP() << (kVocab / name) << " is not there";
  const auto file = gguf::File::open(kVocab / name);
  const auto tokenizer = Tokenizer::load(file.metadata());
  const auto texts = read_texts(kVocab / (name + ".inp"));
  const auto expected = read_ids(kVocab / (name + ".out"));
  ASSERT_GE(texts.size(), 40u);
  ASSERT_EQ(texts.size(), expected.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto ids = tokenizer->encode(texts[i], {.add_bos = false, .parse_special = false});
    EXPECT_EQ(ids, expected[i]) << texts[i];
    EXPECT_EQ(tokenizer->decode(ids), texts[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Vectors, testing::Values("gpt-2", "llama-spm"));

}  // namespace
}  // namespace plumb
