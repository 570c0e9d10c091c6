#pragma once
// From logits to a token id. The order of the stages and every default are llama.cpp's: logit bias,
// penalties, top-k, top-p, min-p, temperature, draw. Temperature 0 or below is greedy. All buffers
// are sized once: sampling allocates nothing.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace plumb {

struct LogitBias {
  int32_t id;
  float bias;  // added to the logit; -inf forbids the token
};

struct SamplerOptions {
  float temperature = 0.8f;
  int32_t top_k = 40;           // 0 or below: all
  float top_p = 0.95f;          // 1: off
  float min_p = 0.05f;          // 0: off
  int32_t repeat_last_n = 64;   // window of the penalties; 0: off, -1: the whole context
  float repeat_penalty = 1.0f;  // 1: off
  float presence_penalty = 0.0f;
  float frequency_penalty = 0.0f;
  std::vector<LogitBias> logit_bias;
  uint64_t seed = 0;
};

// Error names the option, the range and what arrived.
void validate(const SamplerOptions& options, int32_t n_vocab);

class Sampler {
 public:
  // n_context bounds the penalty window when repeat_last_n is -1.
  Sampler(const SamplerOptions& options, int32_t n_vocab, int32_t n_context);

  // Picks a token from n_vocab logits. Does not remember it: accept() does. Non-finite logits other
  // than -inf lose to any finite one; if no logit is finite, Error.
  int32_t sample(std::span<const float> logits);
  // Tells the penalties (and nothing else) what was emitted or read.
  void accept(int32_t id);
  // Starts again: same seed, empty window.
  void reset();

  // After sample(): the candidates that survived, by falling probability, for tests and for showing
  // them.
  struct Candidate {
    int32_t id;
    float logit;
    float probability;
  };
  std::span<const Candidate> candidates() const;

 private:
  SamplerOptions options_;
  std::vector<Candidate> candidates_;
  int64_t n_candidates_ = 0;
  std::vector<int32_t> window_;  // ring of the last ids
  std::vector<int32_t> counts_;  // [n_vocab] occurrences in the window
  int64_t window_used_ = 0, window_next_ = 0;
  std::array<uint64_t, 4> random_;  // xoshiro256** state
};

}  // namespace plumb
