// What a file may contain, one tiny random model each, against llama.cpp's logits on the same
// file.

#include <gtest/gtest.h>

#include <cstring>

#include "backend/reference/reference.h"
#include "base/file.h"
#include "support/tiny_cases.h"
#include "support/tiny_engine.h"

namespace plumb {
namespace {

class TinyLlamaCpp : public ::testing::TestWithParam<test::TinyCase> {};

TEST_P(TinyLlamaCpp, SameLogits) {
  const std::string bytes = test::tiny_case_model(GetParam()).bytes();
  const auto file = gguf::File::from_bytes(
      "tiny.gguf", {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  const ModelDesc model = load_model_desc(file);
  const Plan plan = compile(
      model, {.cache_k = Format::f32, .cache_v = Format::f32, .max_batch = 80, .max_logits = 80});
  const auto executable = make_reference_backend()->compile(plan);
  const auto logits = test::feed(*executable, test::tiny_case_ids(model.n_vocab));

  const std::string raw = read_file(std::filesystem::path(PLUMB_TEST_DATA) / "correctness/tiny" /
                                    (GetParam().name + ".f32"));
  ASSERT_EQ(raw.size(), 10 * static_cast<size_t>(model.n_vocab) * sizeof(float));
  std::vector<float> expected(static_cast<size_t>(model.n_vocab));
  double largest = 0;
  for (size_t i = 0; i < 10; ++i) {
    std::memcpy(expected.data(), raw.data() + i * expected.size() * sizeof(float),
                expected.size() * sizeof(float));
    largest = std::max(largest, test::largest_difference(logits[8 * i + 7], expected));
  }
  std::printf("%s: %.2e\n", GetParam().name.c_str(), largest);
  EXPECT_LE(largest, GetParam().bound);
}

INSTANTIATE_TEST_SUITE_P(Cases, TinyLlamaCpp, ::testing::ValuesIn(test::tiny_cases()),
                         [](const auto& tiny_case) { return tiny_case.param.name; });

}  // namespace
}  // namespace plumb
