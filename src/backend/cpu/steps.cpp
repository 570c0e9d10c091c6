#include "backend/cpu/steps.h"

#include <algorithm>

#include "backend/cpu/multiply.h"
#include "backend/cpu/panel.h"
#include "base/error.h"

namespace plumb::cpu {
namespace {

// Threads take panels in pairs where there are enough: wide kernels work on two at once.
int64_t lot(const Worker& w, int64_t n_panels) {
  return n_panels >= 4 * w.n_threads ? 2 : 1;
}

void multiply(const Worker& w, const Matrix& matrix, Range panels, const Activations& x,
              int64_t n_tokens, const Output& output) {
  if (panels.begin < panels.end)
    cpu::multiply(matrix, panels.begin, panels.end - panels.begin, x, n_tokens, output,
                  w.space().matrix);
}

// All panels of one matrix, shared out.
void multiply(const Worker& w, const Matrix& matrix, const Activations& x, int64_t n_tokens,
              const Output& output) {
  const int64_t n = matrix.panels();
  w.hand_out(n, lot(w, n), [&](Range panels) { multiply(w, matrix, panels, x, n_tokens, output); });
}

}  // namespace

void EmbedStep::run(const Worker& w) const {
  const auto own = w.share(w.run.batch.size());
  for (int64_t t = own.begin; t < own.end; ++t) {
    float* row = to + t * table.columns;
    decode_row(table, w.run.batch.tokens[static_cast<size_t>(t)], row);
    if (scale == 1) continue;
    for (int64_t i = 0; i < table.columns; ++i) row[i] *= scale;
  }
}

void ProjectStep::run(const Worker& w) const {
  const int64_t n_tokens = w.run.batch.size();
  const Activations x = input.prepare(w, n_tokens);
  w.hand_out(n_panels, lot(w, n_panels), [&](Range panels) {
    int64_t first = 0;  // panel of the part among all
    for (const Part& part : parts) {
      const int64_t n = part.matrix.panels();
      multiply(w, part.matrix,
               {std::max(panels.begin - first, int64_t{0}), std::min(panels.end - first, n)}, x,
               n_tokens, {part.to, stride, Into::set});
      first += n;
    }
  });
}

void ProjectAddStep::run(const Worker& w) const {
  const int64_t n_tokens = w.run.batch.size();
  const Activations x = input.prepare(w, n_tokens);
  multiply(w, matrix, x, n_tokens, {residual, matrix.rows, Into::add});
}

void AddBranchesStep::run(const Worker& w) const {
  const KernelSet& kernels = w.run.kernels;
  const auto own = w.share(w.run.batch.size());
  const auto in_place = [&](float* row, const RowNorm& n) {
    if (n.weight) kernels.norm(row, n.weight, n.eps, columns, row);
  };
  for (int64_t t = own.begin; t < own.end; ++t) {
    const int64_t at = t * columns;
    float* sum = branches.front().rows + at;
    for (const Branch& branch : branches) {
      float* row = branch.rows + at;
      in_place(row, branch.norm);
      if (row != sum) kernels.add(sum, row, 1, columns);
    }
    in_place(sum, norm);
    kernels.add(residual + at, sum, scale, columns);
  }
}

void EmbedSlicesStep::run(const Worker& w) const {
  const KernelSet& kernels = w.run.kernels;
  const auto own = w.share(w.run.batch.size());
  float* row = w.run.workspace.shared.values + own.begin * table.columns;  // nobody else's
  for (int64_t t = own.begin; t < own.end; ++t) {
    decode_row(table, w.run.batch.tokens[static_cast<size_t>(t)], row);
    float* slices = to + t * table.columns;
    for (int64_t at = 0; at < table.columns; at += width)
      kernels.norm(slices + at, norm, eps, width, slices + at);
    for (int64_t i = 0; i < table.columns; ++i)
      slices[i] = scale * (slices[i] + table_scale * row[i]);
  }
}

void GateByStep::run(const Worker& w) const {
  const int64_t n_tokens = w.run.batch.size();
  const Activations x = input.prepare(w, n_tokens);
  w.hand_out(gate.panels(), lot(w, gate.panels()), [&](Range panels) {
    multiply(w, gate, panels, x, n_tokens, {to, gate.rows, Into::set});
    const int64_t begin = panels.begin * kPanelRows,
                  end = std::min(panels.end * kPanelRows, gate.rows);
    for (int64_t t = 0; t < n_tokens; ++t)
      activate(to + t * gate.rows + begin, slices + t * slices_columns + begin, end - begin);
  });
}

// A few panels of the gate, then the same of up, which finds the gate's results in the cache. One
// of each with few tokens: they stand side by side in memory.
void GateUpStep::run(const Worker& w) const {
  const int64_t n_tokens = w.run.batch.size();
  const Activations x = input.prepare(w, n_tokens);
  const int64_t n = gate.panels(), some = n_tokens < 8 ? 1 : 2;
  w.hand_out(n, lot(w, n), [&](Range piece) {
    for (int64_t p = piece.begin; p < piece.end; p += some) {
      const Range panels{p, std::min(p + some, piece.end)};
      multiply(w, gate, panels, x, n_tokens, {to, gate.rows, Into::set});
      multiply(w, up, panels, x, n_tokens, {to, gate.rows, gated});
    }
  });
}

void HeadStep::run(const Worker& w) const {
  const int64_t n = w.run.batch.n_logits();
  if (n == 0) return;
  const Activations x = input.prepare(w, n, w.run.batch.logits_rows.data());
  w.hand_out(matrix.panels(), lot(w, matrix.panels()), [&](Range panels) {
    multiply(w, matrix, panels, x, n, {to, matrix.rows, Into::set});
    if (logit_cap == 0) return;
    const int64_t begin = panels.begin * kPanelRows,
                  end = std::min(panels.end * kPanelRows, matrix.rows);
    for (int64_t r = 0; r < n; ++r)
      w.run.kernels.cap(to + r * matrix.rows + begin, logit_cap, end - begin);
  });
}

// Each thread looks through its share of the vocabulary, most of which it has computed itself.
void PickStep::run(const Worker& w) const {
  const int64_t n_panels = (n_vocab + kPanelRows - 1) / kPanelRows;
  const auto own = w.share(n_panels, lot(w, n_panels));
  const int64_t begin = own.begin * kPanelRows, end = std::min(own.end * kPanelRows, n_vocab);
  for (int64_t r = 0; r < w.run.batch.n_logits(); ++r) {
    const float* logits = from + r * n_vocab;
    Best& best = w.space().best[r];
    best = {-std::numeric_limits<float>::infinity(), -1};
    if (begin >= end) continue;
    const int64_t id = begin + w.run.kernels.largest(logits + begin, end - begin);
    best = {logits[id], static_cast<int32_t>(id)};
  }
}

namespace {

Into into_gate(Activation activation) {
  constexpr Into kInto[] = {Into::gate_silu, Into::gate_gelu, Into::gate_clamped};
  return kInto[static_cast<size_t>(activation)];
}

class StepCompiler {
 public:
  StepCompiler(const Plan& plan, const Weights& weights, const RunState& state)
      : plan_(plan), weights_(weights), state_(state) {}

  std::vector<CompiledStep> compile() {
    std::vector<CompiledStep> steps;
    for (index_ = 0; index_ < plan_.steps.size(); ++index_)
      steps.push_back(std::visit([&](const auto& s) -> CompiledStep { return step(s); },
                                 plan_.steps[index_].args));
    return steps;
  }

 private:
  float* buffer(BufferId id) const { return state_.workspace.buffers[static_cast<size_t>(id)]; }
  int64_t columns(BufferId id) const { return plan_.buffers[static_cast<size_t>(id)].columns; }
  Input input(BufferId from) const { return {.from = buffer(from), .columns = columns(from)}; }
  Input input(BufferId from, const Norm& norm) const {
    return {.from = buffer(from),
            .columns = columns(from),
            .norm = weights_.vector(norm.weight),
            .eps = norm.eps};
  }

  EmbedStep step(const Embed& s) const {
    return {weights_.matrix(s.table, {}), buffer(s.to), s.scale};
  }

  ProjectStep step(const Project& s) const {
    ProjectStep out{input(s.from, s.norm), {}, columns(s.to), 0};
    for (const Project::Part& part : s.parts) {
      const Matrix matrix = weights_.matrix(part.weight, part.bias);
      out.input.ask_for(matrix);
      out.n_panels += matrix.panels();
      out.parts.push_back({matrix, buffer(s.to) + part.column});
    }
    return out;
  }

  AttendStep step(const Attend& s) const {
    const auto& merge = std::get<MergePartials>(plan_.steps.at(index_ + 1).args);
    return {s, plan_, state_, weights_, buffer(merge.to)};
  }

  MergeStep step(const MergePartials& s) const {
    const auto& attend = std::get<Attend>(plan_.steps.at(index_ - 1).args);
    return {FinishHead(attend, plan_, state_, weights_, buffer(s.to)), attend.window};
  }

  EmbedSlicesStep step(const EmbedSlices& s) const {
    return {.table = weights_.matrix(s.table, {}),
            .norm = weights_.vector(s.norm.weight),
            .width = s.norm.weight.columns,
            .eps = s.norm.eps,
            .table_scale = s.table_scale,
            .scale = s.scale,
            .to = buffer(s.to)};
  }

  GateByStep step(const GateBy& s) const {
    GateByStep out{.input = input(s.from),
                   .gate = weights_.matrix(s.gate, {}),
                   .slices = buffer(s.slices) + s.column,
                   .slices_columns = columns(s.slices),
                   .to = buffer(s.to),
                   .activate = s.activation == Activation::silu ? state_.kernels.activate_silu
                                                                : state_.kernels.activate_gelu};
    out.input.ask_for(out.gate);
    return out;
  }

  AddBranchesStep step(const AddBranches& s) const {
    const auto row_norm = [&](const Norm& norm) {
      return AddBranchesStep::RowNorm{weights_.vector(norm.weight), norm.eps};
    };
    AddBranchesStep out{{}, row_norm(s.norm), buffer(s.residual), columns(s.residual), s.scale};
    for (const AddBranches::Branch& branch : s.branches)
      out.branches.push_back({buffer(branch.from), row_norm(branch.norm)});
    return out;
  }

  ProjectAddStep step(const ProjectAdd& s) const {
    ProjectAddStep out{input(s.from), weights_.matrix(s.weight, s.bias), buffer(s.residual)};
    out.input.ask_for(out.matrix);
    return out;
  }

  GateUpStep step(const GateUp& s) const {
    GateUpStep out{input(s.from, s.norm), weights_.matrix(s.gate, s.gate_bias),
                   weights_.matrix(s.up, s.up_bias), buffer(s.to), into_gate(s.activation)};
    out.input.ask_for(out.gate);
    out.input.ask_for(out.up);
    return out;
  }

  DeltaRuleStep step(const DeltaRule& s) const {
    DeltaRuleStep out{.rule = s, .from = buffer(s.from), .columns = columns(s.from)};
    out.to = buffer(s.to);
    out.taps = weights_.vector(s.conv);
    out.a = weights_.vector(s.a);
    out.dt_bias = weights_.vector(s.dt_bias);
    out.norm = weights_.vector(s.norm);
    return out;
  }

  RouteStep step(const Route& s) const {
    const bool one = s.shared < 0 || s.norm.weight.name == s.router_norm.weight.name;
    RouteStep out{.router_input = input(s.from, s.router_norm),
                  .shared_input = input(s.from, s.norm),
                  .one_input = one,
                  .router = weights_.router(s.router, s.bias),
                  .shared_gate = weights_.vector(s.shared_gate),
                  .logits = buffer(s.logits),
                  .n_logits = columns(s.logits),
                  .gated = into_gate(s.shared_ffn.activation)};
    out.router_input.ask_for(out.router);
    if (s.shared < 0) return out;
    out.gate = weights_.matrix(s.shared_ffn.gate, s.shared_ffn.gate_bias);
    out.up = weights_.matrix(s.shared_ffn.up, s.shared_ffn.up_bias);
    out.shared = buffer(s.shared);
    Input& shared_input = one ? out.router_input : out.shared_input;
    shared_input.ask_for(out.gate);
    shared_input.ask_for(out.up);
    return out;
  }

  ExpertGateUpStep step(const ExpertGateUp& s) const {
    ExpertGateUpStep out{.input = input(s.from, s.norm),
                         .logits = buffer(s.logits),
                         .n_logits = columns(s.logits),
                         .n_experts = s.n_experts,
                         .n_used = s.n_used,
                         .expert_scale = weights_.vector(s.expert_scale),
                         .gate = weights_.experts(s.gate),
                         .up = weights_.experts(s.up),
                         .gated = into_gate(s.activation),
                         .to = buffer(s.to),
                         .chosen = buffer(s.chosen)};
    out.input.ask_for(out.gate.first);
    out.input.ask_for(out.up.first);
    return out;
  }

  ExpertDownAddStep step(const ExpertDownAdd& s) const {
    ExpertDownAddStep out{.input = {buffer(s.from), s.down.weight.columns},
                          .chosen = buffer(s.chosen),
                          .n_experts = s.n_experts,
                          .n_used = s.n_used,
                          .down = weights_.experts(s.down),
                          .adds = s.adds,
                          .to = buffer(s.to)};
    out.input.ask_for(out.down.first);
    if (s.shared < 0) return out;
    out.shared_input = input(s.shared);
    out.shared_down = weights_.matrix(s.shared_down, s.shared_bias);
    out.shared_input.ask_for(out.shared_down);
    out.shared_to = buffer(s.shared_to);
    if (s.logits < 0) return out;
    out.logits_stride = columns(s.logits);
    out.shared_logits = buffer(s.logits) + out.logits_stride - 1;
    return out;
  }

  HeadStep step(const Head& s) const {
    HeadStep out{input(s.from, s.norm), weights_.matrix(s.weight, s.bias), buffer(s.to),
                 s.logit_cap};
    out.input.ask_for(out.matrix);
    return out;
  }

  PickStep step(const Pick& s) const { return {buffer(s.from), columns(s.from)}; }

  const Plan& plan_;
  const Weights& weights_;
  const RunState& state_;
  size_t index_ = 0;
};

}  // namespace

std::vector<CompiledStep> compile_steps(const Plan& plan, const Weights& weights,
                                        const RunState& state) {
  return StepCompiler(plan, weights, state).compile();
}

}  // namespace plumb::cpu
