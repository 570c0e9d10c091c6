#pragma once
// Gated delta nets on the CPU, in chunks of tokens (the chunked form of Yang, Kautz, Hatamizadeh
// 2024). A thread has whole key heads: their channels of the convolution, and the states of the
// value heads that belong to them, so that nobody waits for anybody.
//
// A chunk begins at a multiple of kDeltaChunk positions. Until its last token has come, a state
// stays as it was before the chunk's first, and the chunk's keys, decays and changes are kept
// beside it (plan.h): a token needs products with that state and with the chunk, and the state is
// written once per chunk. A prompt gives whole chunks, which share every read of the state;
// decoding goes through the same arithmetic a token at a time, and reads a state without writing
// it. So the bits of an output depend on its position, not on how a prompt is cut.

#include <cstdint>

#include "backend/cpu/run_state.h"

namespace plumb::cpu {

static_assert(kChunkTokens == kDeltaChunk && kPagePositions % kDeltaChunk == 0);

struct DeltaRuleStep {
  void run(const Worker& w) const;

  DeltaRule rule;     // shapes and columns
  const float* from;  // [n_tokens, columns]
  int64_t columns;
  float* to = nullptr;          // [n_tokens, inner]
  const float* taps = nullptr;  // [conv_width, channels]
  const float *a = nullptr, *dt_bias = nullptr, *norm = nullptr;

 private:
  // Some tokens of one chunk of a sequence, and the layer's state of it.
  struct Piece {
    const int32_t* tokens;
    int64_t first, n;  // in the chunk
    float* state;
    float* kept;  // where it goes afterwards, or null
  };
  void run_key_head(const Worker& w, const Piece& piece, int64_t head) const;
  void convolve(const Worker& w, const Piece& piece, int64_t channel, float* out,
                int64_t stride) const;
  void run_value_head(const Worker& w, const Piece& piece, const DeltaTokens& tokens,
                      int64_t head) const;
  void shift(const Piece& piece, int64_t channel) const;
  const float* row(const Piece& piece, int64_t index, int64_t channel) const;
};

}  // namespace plumb::cpu
