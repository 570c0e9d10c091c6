#include "backend/cpu/experts.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "backend/cpu/multiply.h"

namespace plumb::cpu {
namespace {

void multiply(const Worker& w, const Matrix& matrix, Range panels, const Activations& x,
              int64_t n_tokens, const Output& output) {
  if (panels.begin < panels.end)
    cpu::multiply(matrix, panels.begin, panels.end - panels.begin, x, n_tokens, output,
                  w.space().matrix);
}

// A few panels of the gate, then the same of up, which finds the gate's results in the cache.
void multiply_gate_up(const Worker& w, const Matrix& gate, const Matrix& up, Range panels,
                      const Activations& x, int64_t n_tokens, Output output, Into gated) {
  const int64_t some = n_tokens < 8 ? 1 : 2;
  for (int64_t p = panels.begin; p < panels.end; p += some) {
    const Range few{p, std::min(p + some, panels.end)};
    output.into = Into::set;
    multiply(w, gate, few, x, n_tokens, output);
    output.into = gated;
    multiply(w, up, few, x, n_tokens, output);
  }
}

// The largest n of the logits and their softmax: numbers, then weights. No number counts as the
// smallest. (The floor under the sum of their probabilities among all experts is never reached with
// as many experts as plumb reads.)
void choose(const float* logits, int64_t n_experts, int64_t n, const float* scale, float* to) {
  constexpr float kLeast = -std::numeric_limits<float>::infinity();
  float* weights = to + n;
  const auto logit = [&](int64_t e) { return std::isnan(logits[e]) ? kLeast : logits[e]; };
  int64_t found = 0;
  for (int64_t e = 0; e < n_experts; ++e) {
    const float value = logit(e);
    if (found == n && !(value > weights[n - 1])) continue;
    int64_t at = found < n ? found++ : n - 1;
    for (; at > 0 && value > weights[at - 1]; --at) {
      weights[at] = weights[at - 1];
      to[at] = to[at - 1];
    }
    weights[at] = value;
    to[at] = static_cast<float>(e);
  }
  const float largest = weights[0];
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += weights[i] = std::exp(weights[i] - largest);
  for (int64_t i = 0; i < n; ++i)
    weights[i] = weights[i] / sum * (scale ? scale[static_cast<int64_t>(to[i])] : 1);
}

// Sorts (token, expert) pairs by expert, tokens of one in order.
Grouping group(const Worker& w, const float* chosen, int64_t n_tokens, int64_t n_used,
               int64_t n_experts) {
  const ExpertScratch& s = w.space().experts;
  const auto expert = [&](int64_t t, int64_t i) {
    return static_cast<int32_t>(chosen[2 * n_used * t + i]);
  };
  std::fill_n(s.starts, n_experts + 1, 0);
  for (int64_t t = 0; t < n_tokens; ++t)
    for (int64_t i = 0; i < n_used; ++i) ++s.starts[expert(t, i) + 1];
  int64_t n_groups = 0;
  for (int32_t e = 0; e < n_experts; ++e) {
    if (const int32_t n = s.starts[e + 1]; n > 0) s.groups[n_groups++] = {e, s.starts[e], n};
    s.starts[e + 1] += s.starts[e];
  }
  for (int64_t t = 0; t < n_tokens; ++t)
    for (int64_t i = 0; i < n_used; ++i) {
      const int32_t at = s.starts[expert(t, i)]++;
      s.rows[at] = static_cast<int32_t>(t * n_used + i);
      s.tokens[at] = static_cast<int32_t>(t);
      s.weights[at] = chosen[2 * n_used * t + n_used + i];
    }
  return {s.rows, s.tokens, s.weights, s.groups, n_groups};
}

}  // namespace

void RouteStep::run(const Worker& w) const {
  const int64_t n = w.run.batch.size();
  Activations x = router_input.prepare(w, n);
  const auto panels = w.share(router.panels());
  multiply(w, router, panels, x, n, {logits, n_logits, Into::set});
  if (!shared) return;
  if (!one_input) {
    w.barrier();  // the space of x is used again
    x = shared_input.prepare(w, n);
  }
  if (shared_gate) {
    const auto own = w.share(n);
    for (int64_t t = own.begin; t < own.end; ++t)
      logits[t * n_logits + n_logits - 1] =
          w.run.kernels.dot(shared_gate, x.values + t * x.columns, x.columns);
  }
  w.hand_out(gate.panels(), 1, [&](Range some) {
    multiply_gate_up(w, gate, up, some, x, n, {shared, gate.rows, Into::set}, gated);
  });
}

void ExpertGateUpStep::run(const Worker& w) const {
  const int64_t n = w.run.batch.size();
  const bool own = n <= kOwnChoices;
  float* choices = own ? w.space().experts.choices : chosen;
  const Range tokens = own ? Range{0, n} : w.share(n);
  for (int64_t t = tokens.begin; t < tokens.end; ++t)
    choose(logits + t * n_logits, n_experts, n_used, expert_scale, choices + 2 * n_used * t);
  if (own && w.thread == 0) std::copy_n(choices, 2 * n_used * n, chosen);
  const Activations x = input.prepare(w, n);
  if (!own) w.barrier();
  const Grouping grouping = group(w, choices, n, n_used, n_experts);
  const int64_t panels = gate.first.panels();
  int64_t gathered = -1;
  Activations rows = x;  // of one group
  w.hand_out(grouping.n_groups * panels, panels % 2 ? 1 : 2, [&](Range units) {
    for (int64_t unit = units.begin; unit < units.end;) {
      const int64_t g = unit / panels, end = std::min(units.end, (g + 1) * panels);
      const Grouping::Group& group = grouping.groups[g];
      if (n > 1 && gathered != g)
        rows = input.gather(x, grouping.tokens + group.first, group.n, w.space().gathered);
      gathered = g;
      multiply_gate_up(w, gate.of(group.expert), up.of(group.expert),
                       {unit - g * panels, end - g * panels}, rows, group.n,
                       {.to = to,
                        .stride = gate.first.rows,
                        .into = Into::set,
                        .rows = grouping.rows + group.first},
                       gated);
      unit = end;
    }
  });
}

void ExpertDownAddStep::run(const Worker& w) const {
  const int64_t n = w.run.batch.size();
  const Grouping grouping = group(w, chosen, n, n_used, n_experts);
  const Activations x = input.prepare(w, n * n_used, grouping.rows);
  const bool has_shared = shared_down.rows > 0;
  const Activations shared = has_shared ? shared_input.prepare(w, n, nullptr, true) : x;
  float* shared_weights = w.space().experts.shared_weights;
  for (int64_t t = 0; has_shared && shared_logits && t < n; ++t)
    shared_weights[t] = 1 / (1 + std::exp(-shared_logits[t * logits_stride]));
  const int64_t rows = down.first.rows;
  w.hand_out(down.first.panels(), 1, [&](Range panels) {
    const int64_t begin = panels.begin * kPanelRows, end = std::min(panels.end * kPanelRows, rows);
    for (int64_t t = 0; !adds && t < n; ++t) {
      std::fill(to + t * rows + begin, to + t * rows + end, 0.0f);
      if (has_shared) std::fill(shared_to + t * rows + begin, shared_to + t * rows + end, 0.0f);
    }
    for (int64_t g = 0; g < grouping.n_groups; ++g) {
      const Grouping::Group& group = grouping.groups[g];
      multiply(
          w, down.of(group.expert), panels, x.from_row(group.first), group.n,
          {to, rows, Into::add, grouping.tokens + group.first, grouping.weights + group.first});
    }
    if (has_shared)
      multiply(w, shared_down, panels, shared, n,
               {shared_to, rows, Into::add, nullptr, shared_logits ? shared_weights : nullptr});
  });
}

}  // namespace plumb::cpu
