#pragma once
// Gated delta nets on the CPU. A thread has whole key heads: their channels of the convolution, and
// the states of the value heads that belong to them, so that nobody waits for anybody. It takes the
// tokens of a sequence in pieces that end with a page; a head's state stays in its cache meanwhile.
//
// Tokens go through a state one after another, in prefill too: per output the arithmetic is one
// chain in one order, whatever the batch, which the chunked form (a triangular system per chunk of
// tokens) cannot give, and on a CPU it takes fewer operations (docs/experiments.md).

#include <cstdint>

#include "backend/cpu/run_state.h"

namespace plumb::cpu {

// Tokens of a piece, at most; a page's.
inline constexpr int64_t kPieceTokens = kPagePositions;

struct DeltaRuleStep {
  void run(const Worker& w) const;

  DeltaRule rule;     // shapes and columns
  const float* from;  // [n_tokens, columns]
  int64_t columns;
  float* to = nullptr;          // [n_tokens, inner]
  const float* taps = nullptr;  // [conv_width, channels]
  const float *a = nullptr, *dt_bias = nullptr, *norm = nullptr;

 private:
  // Some tokens of one sequence, and the layer's state of it.
  struct Piece {
    const int32_t* tokens;
    int64_t n;
    float* state;
    float* kept;  // where it goes afterwards, or null
  };
  void run_key_head(const Worker& w, const Piece& piece, int64_t head) const;
  void convolve(const Worker& w, const Piece& piece, int64_t channel, float* out) const;
  void run_value_head(const Worker& w, const Piece& piece, int64_t head) const;
  void shift(const Piece& piece, int64_t channel) const;
  const float* row(const Piece& piece, int64_t index, int64_t channel) const;
};

}  // namespace plumb::cpu
