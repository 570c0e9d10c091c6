// What a file may contain, one tiny random model each, against llama.cpp's logits on the same file:
// the reference and the cpu backend, the prompt in one batch, in pieces, and mixed with another
// sequence.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "backend/cpu/cpu.h"
#include "backend/reference/reference.h"
#include "base/file.h"
#include "support/tiny_cases.h"
#include "support/tiny_engine.h"

namespace plumb {
namespace {

using test::Logits;

class TinyLlamaCpp : public ::testing::TestWithParam<test::TinyCase> {
 protected:
  TinyLlamaCpp() : bytes_(test::tiny_case_model(GetParam()).bytes()) {
    file_.emplace(gguf::File::from_bytes(
        "tiny.gguf", {reinterpret_cast<const uint8_t*>(bytes_.data()), bytes_.size()}));
    model = load_model_desc(*file_);
    // As many positions as llama.cpp was given: longrope depends on it.
    plan = compile(model, {.cache_k = Format::f32,
                           .cache_v = Format::f32,
                           .n_positions = 256,
                           .n_sequences = 2,
                           .max_batch = 80,
                           .max_logits = 80});
    ids = test::tiny_case_ids(model.n_vocab);
  }

  // The largest difference from llama.cpp's logits: of every position 64, all over the vocabulary.
  double distance(const Logits& logits) const {
    constexpr size_t kLogits = 64;
    const std::string raw = read_file(std::filesystem::path(PLUMB_TEST_DATA) / "correctness/tiny" /
                                      (GetParam().name + ".f32"));
    std::vector<float> expected(ids.size() * kLogits);
    if (raw.size() != expected.size() * sizeof(float)) return INFINITY;
    std::memcpy(expected.data(), raw.data(), raw.size());
    double largest = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      const std::vector<float>& row = logits[i / kLogits];
      const double difference = std::abs(row[i % kLogits * row.size() / kLogits] - expected[i]);
      if (!std::isfinite(difference)) return INFINITY;
      largest = std::max(largest, difference);
    }
    return largest;
  }

  Logits in_pieces(Executable& e, size_t size) const {
    return test::in_batches(e, ids, std::vector<size_t>(ids.size(), size));
  }

  // Two tokens of each sequence in every batch, of the other one in reverse order.
  Logits beside_another(Executable& e) const {
    Logits all;
    const std::vector<uint8_t> wants{1, 0, 1, 0};
    for (size_t i = 0; i < ids.size(); i += 2) {
      const size_t other = ids.size() - 1 - i;
      const auto at = static_cast<int32_t>(i);
      const std::vector<int32_t> tokens{ids[i], ids[other], ids[i + 1], ids[other - 1]},
          positions{at, at, at + 1, at + 1}, slots{0, 1, 0, 1};
      e.run({tokens, positions, slots, wants});
      for (const int64_t row : {0, 1}) all.emplace_back(e.logits(row).begin(), e.logits(row).end());
    }
    return all;
  }

  // However the prompt comes, its logits are llama.cpp's.
  void expect_llama_cpps(Backend& backend) {
    const auto run = [&](const char* how, auto get) {
      const auto executable = backend.compile(plan);
      const double d = distance(get(*executable));
      std::printf("%s, %s, %s: %.2e\n", GetParam().name.c_str(), backend.name().c_str(), how, d);
      EXPECT_LE(d, GetParam().bound) << how;
    };
    run("one batch", [&](Executable& e) { return in_pieces(e, 80); });
    run("pieces of 1", [&](Executable& e) { return in_pieces(e, 1); });
    run("pieces of 7", [&](Executable& e) { return in_pieces(e, 7); });
    run("pieces of 64", [&](Executable& e) { return in_pieces(e, 64); });
    run("two sequences", [&](Executable& e) { return beside_another(e); });
  }

  std::string bytes_;
  std::optional<gguf::File> file_;
  ModelDesc model;
  Plan plan;
  std::vector<int32_t> ids;
};

TEST_P(TinyLlamaCpp, SameLogits) {
  expect_llama_cpps(*make_reference_backend());
}

TEST_P(TinyLlamaCpp, SameLogitsOfTheCpuBackend) {
  expect_llama_cpps(*make_cpu_backend(2, ""));
}

INSTANTIATE_TEST_SUITE_P(Cases, TinyLlamaCpp, ::testing::ValuesIn(test::tiny_cases()),
                         [](const auto& tiny_case) { return tiny_case.param.name; });

}  // namespace
}  // namespace plumb
