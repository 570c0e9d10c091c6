#pragma once
// From logits to a token id. The order of the stages, their meaning and every default are
// llama.cpp's: logit bias, penalties, top-k, top-p, min-p, temperature, draw. Temperature 0 or
// below is greedy. All buffers are sized once: sampling allocates nothing.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "generate/candidates.h"

namespace plumb {

struct LogitBias {
  int32_t id;
  float bias;  // added to the logit; -inf forbids the token
};

struct SamplerOptions {
  float temperature = 0.8f;  // 0 or below: greedy
  int32_t top_k = 40;        // the k largest logits; 0 or below: all
  float top_p = 0.95f;       // the fewest whose probabilities (at temperature 1) reach it; 1: off
  float min_p = 0.05f;       // those at least this times as likely as the likeliest; 0: off

  // Penalties fall on every token of the last repeat_last_n (prompt included; 0: off, -1: the whole
  // context): a positive logit is divided by repeat_penalty and any other multiplied by it (1:
  // off), then presence_penalty is subtracted once and frequency_penalty as often as the token is
  // there.
  int32_t repeat_last_n = 64;
  float repeat_penalty = 1.0f;
  float presence_penalty = 0.0f;
  float frequency_penalty = 0.0f;

  std::vector<LogitBias> logit_bias;
  uint64_t seed = 0;
};

// Error names the option, the range and what arrived.
void validate(const SamplerOptions& options, int32_t n_vocab);

// Tokens that must never be sampled (bias -inf): the file's suppressed tokens, or its end tokens
// when they are to be ignored.
void forbid(SamplerOptions& options, std::span<const int32_t> ids);

class Sampler {
 public:
  // Validates. n_context bounds the window of the penalties.
  Sampler(const SamplerOptions& options, int32_t n_vocab, int32_t n_context);

  // Picks a token from n_vocab logits (equal ones: the lower id first). Does not remember it:
  // accept() does. Non-finite logits lose to any finite one; if none is finite, Error.
  int32_t sample(std::span<const float> logits);
  // Tells the penalties (and nothing else) what was emitted or read; ids outside the vocabulary are
  // ignored.
  void accept(int32_t id);
  // The penalties' window becomes the last of these ids (a new prompt). The random numbers go on.
  void read(std::span<const int32_t> ids);
  // Starts again: same seed, empty window.
  void reset();

  // After sample(): the candidates that survived, by falling probability, for tests and for showing
  // them.
  using Candidate = plumb::Candidate;
  std::span<const Candidate> candidates();

  int32_t n_vocab() const { return static_cast<int32_t>(candidates_.size()); }

 private:
  std::span<const float> adjusted(std::span<const float> logits);
  void penalise();
  int64_t select_best(std::span<const float> logits, int64_t k);
  int64_t take_finite(std::span<const float> logits);
  void keep_top_k(std::span<const float> logits);
  void keep_top_p();
  void keep_min_p();
  int32_t greedy(std::span<const float> logits);
  int32_t draw();
  double uniform();

  SamplerOptions options_;
  std::vector<float> adjusted_;        // [n_vocab] logits after bias and penalties
  std::vector<Candidate> candidates_;  // [n_vocab], of which the first n_candidates_ live
  std::vector<Candidate> spare_;       // [n_vocab] for sorting
  int64_t n_candidates_ = 0;
  bool ordered_ = false;         // the candidates are, the best first
  std::vector<int32_t> window_;  // ring of the last ids
  std::vector<int32_t> counts_;  // [n_vocab] occurrences in the window
  size_t window_used_ = 0, window_next_ = 0;
  std::array<uint64_t, 4> random_;  // xoshiro256** state
};

}  // namespace plumb
