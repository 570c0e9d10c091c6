// Files read as the Python package gguf reads them: tools/make_gguf_fixture.py wrote down every key
// and tensor.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "gguf/gguf.h"

namespace plumb::test {
namespace {

std::string fnv1a(std::span<const uint8_t> bytes) {
  uint64_t h = 0xCBF29CE484222325;
  for (const uint8_t byte : bytes) h = (h ^ byte) * 0x100000001B3;
  return fmt::format("{:016x}", h);
}

std::string fnv1a(std::string_view s) {
  return fnv1a({reinterpret_cast<const uint8_t*>(s.data()), s.size()});
}

// As the package spells them.
std::string_view python_name(uint32_t type_id) {
  static constexpr std::string_view kNames[] = {"UINT8",  "INT8",    "UINT16", "INT16",  "UINT32",
                                                "INT32",  "FLOAT32", "BOOL",   "STRING", "ARRAY",
                                                "UINT64", "INT64",   "FLOAT64"};
  return kNames[type_id];
}

std::string fact_of_key(const gguf::Metadata& m, std::string_view key) {
  const auto type = python_name(m.raw(key)->front());
  struct {
    std::string type;
    std::string operator()(int64_t x) { return fmt::format("{} {}", type, x); }
    std::string operator()(uint64_t x) { return fmt::format("{} {}", type, x); }
    std::string operator()(double x) { return fmt::format("{} {:.17g}", type, x); }
    std::string operator()(bool x) { return fmt::format("{} {}", type, x ? 1 : 0); }
    std::string operator()(std::string_view x) { return "string " + fnv1a(x); }
    std::string operator()(const gguf::Array& x) {
      return fmt::format("array {} {} {}", python_name(static_cast<uint32_t>(x.type())), x.size(),
                         fnv1a(x.bytes()));
    }
  } fact{std::string(type)};
  return fmt::format("key {} {}", key, std::visit(fact, *m.find(key)));
}

std::string fact_of_tensor(const gguf::TensorView& t) {
  return fmt::format("tensor {} {} {} {}", t.name, format_info(t.format).name, fmt::join(t.ne, " "),
                     fnv1a(t.data));
}

void expect_facts(const std::filesystem::path& path, const std::string& facts) {
  std::ifstream expected(std::string(PLUMB_TEST_DATA "/gguf/") + facts);
  const auto file = gguf::File::open(path);
  std::string line;
  for (int64_t i = 0; i < file.metadata().size(); ++i) {
    ASSERT_TRUE(std::getline(expected, line));
    EXPECT_EQ(fact_of_key(file.metadata(), file.metadata().key(i)), line);
  }
  for (int64_t i = 0; i < file.n_tensors(); ++i) {
    ASSERT_TRUE(std::getline(expected, line));
    EXPECT_EQ(fact_of_tensor(file.tensor(i)), line);
  }
  EXPECT_FALSE(std::getline(expected, line)) << line;
}

TEST(PythonGguf, a_file_of_every_value_type) {
  expect_facts(PLUMB_TEST_DATA "/gguf/python.gguf", "python.facts");
}

TEST(PythonGguf, real_vocabularies) {
  const std::filesystem::path folder = PLUMB_SOURCE_DIR "/../shared/fixtures/vocab";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no " << folder;
  for (const char* name : {"ggml-vocab-gpt-2", "ggml-vocab-llama-spm"})
    expect_facts(folder / fmt::format("{}.gguf", name), fmt::format("{}.facts", name));
}

}  // namespace
}  // namespace plumb::test
