#pragma once
// The real model of the tests, SmolLM2-135M-Instruct Q4_1 (which run.sh and test.sh put into the
// model folder), and what llama.cpp computes for it (tests/data/correctness, made by
// tools/make_logits_reference.py).

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace plumb::test {

std::filesystem::path smollm2_path();  // may not exist: skip then, saying so

struct ReferenceText {
  std::string name;
  std::vector<int32_t> ids, greedy;         // of the text; the 64 most likely ones that follow
  std::vector<std::vector<float>> sampled;  // [ids][columns] logits
};
struct ReferenceData {
  std::vector<int32_t> columns;  // vocabulary entries whose logits were sampled
  std::vector<ReferenceText> texts;
  double llama_cpp_kld;
};
ReferenceData smollm2_reference();

// The model, described and planned for tests: sequences of 256 positions, f32 cache.
struct SmolLm2 {
  SmolLm2();
  gguf::File file;
  ModelDesc model;
  Plan plan;
};

// All texts at once, text i in slot i, with logits of every token: [text][token][n_vocab].
using TextLogits = std::vector<std::vector<std::vector<float>>>;
TextLogits logits_of_texts(Executable& executable, const ReferenceData& data);

// KL divergence sum p (ln p - ln q) of the softmax of two rows of logits.
double kl_divergence(const std::vector<float>& p_logits, const std::vector<float>& q_logits);

}  // namespace plumb::test
