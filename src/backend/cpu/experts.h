#pragma once
// Mixtures of experts on the CPU. The tokens of a batch are grouped by expert, so that an expert's
// panels are read once per batch and go to the kernels for as many tokens as it has; with one token
// only the chosen experts are read. Sums over a token's experts run in order of their numbers,
// whatever the batch.

#include <cstdint>

#include "backend/cpu/input.h"
#include "backend/cpu/run_state.h"
#include "backend/cpu/weights.h"

namespace plumb::cpu {

// The chosen experts of a batch's tokens by expert, in a thread's work space.
struct Grouping {
  using Group = ExpertScratch::Group;  // first, n: of the sorted rows
  const int32_t* rows;    // [n_tokens * n_used] token * n_used + which of its experts, sorted
  const int32_t* tokens;  // of the same
  const float* weights;   // of the same
  const Group* groups;
  int64_t n_groups;
};

struct RouteStep {
  void run(const Worker& w) const;

  Input router_input, shared_input;  // the same rows where both have one norm
  bool one_input;
  Matrix router;
  const float* shared_gate;  // [columns] or null
  float* logits;
  int64_t n_logits;
  Matrix gate = {}, up = {};  // of the shared expert, if any
  Into gated;
  float* shared = nullptr;
};

struct ExpertGateUpStep {
  void run(const Worker& w) const;

  Input input;
  const float* logits;
  int64_t n_logits;  // columns
  int64_t n_experts, n_used;
  const float* expert_scale;  // [n_experts] or null
  ExpertMatrices gate, up;
  Into gated;
  float* to;      // [n_tokens, n_used * gate rows]
  float* chosen;  // [n_tokens, 2 * n_used]
};

struct ExpertDownAddStep {
  void run(const Worker& w) const;

  Input input;
  const float* chosen;
  int64_t n_experts, n_used;
  ExpertMatrices down;
  bool adds;
  float* to;
  Input shared_input = {};
  Matrix shared_down = {};               // no rows: no shared expert
  const float* shared_logits = nullptr;  // the column of its gate, or null
  int64_t logits_stride = 0;
  float* shared_to = nullptr;
};

}  // namespace plumb::cpu
