#pragma once
// The plan's steps, compiled: pointers, shapes and kernels, nothing left to look up. Every thread
// calls run(); a step ends without a barrier, the next one starts behind one.

#include <cstdint>
#include <variant>
#include <vector>

#include "backend/cpu/attention.h"
#include "backend/cpu/delta_rule.h"
#include "backend/cpu/experts.h"
#include "backend/cpu/input.h"
#include "backend/cpu/run_state.h"
#include "backend/cpu/weights.h"

namespace plumb::cpu {

struct EmbedStep {
  void run(const Worker& w) const;
  Matrix table;
  float* to;
  float scale;
};

struct ProjectStep {
  void run(const Worker& w) const;
  struct Part {
    Matrix matrix;
    float* to;
  };
  Input input;
  std::vector<Part> parts;
  int64_t stride, n_panels;  // n_panels: of all parts
};

struct ProjectAddStep {
  void run(const Worker& w) const;
  Input input;
  Matrix matrix;
  float* residual;
};

// Norms and adds up in the branches' own buffers, which nobody reads any more.
struct AddBranchesStep {
  void run(const Worker& w) const;
  struct RowNorm {
    const float* weight;  // null: none
    float eps;
  };
  struct Branch {
    float* rows;  // [token, columns]
    RowNorm norm;
  };
  std::vector<Branch> branches;
  RowNorm norm;
  float* residual;
  int64_t columns;
  float scale;
};

struct EmbedSlicesStep {
  void run(const Worker& w) const;
  Matrix table;
  const float* norm;  // [width]
  int64_t width;
  float eps, table_scale, scale;
  float* to;
};

struct GateByStep {
  void run(const Worker& w) const;
  Input input;
  Matrix gate;
  const float* slices;  // of the first token
  int64_t slices_columns;
  float* to;
  void (*activate)(float* to, const float* x, int64_t n);
};

struct GateUpStep {
  void run(const Worker& w) const;
  Input input;
  Matrix gate, up;
  float* to;
  Into gated;
};

struct HeadStep {
  void run(const Worker& w) const;
  Input input;
  Matrix matrix;
  float* to;
  float logit_cap;
};

// Leaves each thread's best in its work space.
struct PickStep {
  void run(const Worker& w) const;
  const float* from;
  int64_t n_vocab;
};

using CompiledStep =
    std::variant<EmbedStep, ProjectStep, AttendStep, MergeStep, DeltaRuleStep, RouteStep,
                 ExpertGateUpStep, ExpertDownAddStep, ProjectAddStep, AddBranchesStep,
                 EmbedSlicesStep, GateByStep, GateUpStep, HeadStep, PickStep>;

std::vector<CompiledStep> compile_steps(const Plan& plan, const Weights& weights,
                                        const RunState& state);

}  // namespace plumb::cpu
