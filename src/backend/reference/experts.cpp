// The steps of mixtures of experts: routing, the chosen experts' first halves, their weighted sum.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "backend/reference/executable.h"
#include "backend/reference/math.h"

namespace plumb::reference {
namespace {

// One expert's matrix and bias as tensors of their own.
struct ExpertMatrix {
  Tensor weight, bias;
};
ExpertMatrix expert_of(const ExpertStack& stack, int64_t expert) {
  ExpertMatrix e{stack.weight, stack.bias};
  const int64_t bytes = stack.weight.row_bytes();
  e.weight.rows = stack.rows;
  e.weight.data =
      stack.weight.data.subspan(static_cast<size_t>((expert * stack.stride + stack.first) * bytes),
                                static_cast<size_t>(stack.rows * bytes));
  if (e.bias) {
    e.bias.rows = 1;
    e.bias.data = stack.bias.data.subspan(static_cast<size_t>(expert * stack.bias.row_bytes()),
                                          static_cast<size_t>(stack.bias.row_bytes()));
  }
  return e;
}

}  // namespace

Choice choose_experts(RouterRule rule, std::span<const float> logits, int64_t n_used) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto logit = [&](int32_t e) {  // no number is less than any
    const auto value = static_cast<double>(logits[static_cast<size_t>(e)]);
    return std::isnan(value) ? -std::numeric_limits<double>::infinity() : value;
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return logit(a) > logit(b); });
  Choice choice;
  const double largest = logit(order[0]);
  double all = 0, chosen = 0;
  for (const int32_t e : order) all += std::exp(logit(e) - largest);
  for (int64_t i = 0; i < n_used; ++i)
    chosen += std::exp(logit(order[static_cast<size_t>(i)]) - largest);
  const double sum = rule == RouterRule::top_softmax ? chosen : std::max(chosen, all * 0x1p-14);
  for (int64_t i = 0; i < n_used; ++i) {
    choice.experts.push_back(order[static_cast<size_t>(i)]);
    choice.weights.push_back(std::exp(logit(choice.experts.back()) - largest) / sum);
  }
  return choice;
}

void ReferenceExecutable::step(const Route& s) {
  const std::vector<float> x = normed_rows(s.router_norm, s.from, all_rows_);
  const int64_t n = columns(s.logits), width = columns(s.from);
  multiply(s.router, {}, n_tokens(), {x.data(), width}, row(s.logits, 0), n, stop_);
  const std::vector<float> bias = decode(s.bias);
  for (int64_t t = 0; t < n_tokens(); ++t)
    for (int64_t e = 0; e < s.router.rows; ++e) {
      float& logit = row(s.logits, t)[e];
      logit = s.scale * logit + (bias.empty() ? 0 : bias[static_cast<size_t>(e)]);
    }
  if (s.shared < 0) return;
  const std::vector<float> shared = normed_rows(s.norm, s.from, all_rows_);
  if (s.shared_gate)
    multiply(s.shared_gate, {}, n_tokens(), {shared.data(), width}, row(s.logits, 0) + n - 1, n,
             stop_);
  gate_and_up(s.shared_ffn.activation, {s.shared_ffn.gate, s.shared_ffn.gate_bias},
              {s.shared_ffn.up, s.shared_ffn.up_bias}, n_tokens(), {shared.data(), width},
              {row(s.shared, 0), columns(s.shared)});
}

void ReferenceExecutable::step(const ExpertGateUp& s) {
  const std::vector<float> x = normed_rows(s.norm, s.from, all_rows_);
  const std::vector<float> scale = decode(s.expert_scale);
  const int64_t width = columns(s.from);
  for (int64_t t = 0; t < n_tokens() && !stopped(); ++t) {
    const Choice choice =
        choose_experts(s.rule, {row(s.logits, t), static_cast<size_t>(s.n_experts)}, s.n_used);
    for (int64_t i = 0; i < s.n_used; ++i) {
      const int32_t e = choice.experts[static_cast<size_t>(i)];
      row(s.chosen, t)[i] = static_cast<float>(e);
      row(s.chosen, t)[s.n_used + i] = static_cast<float>(choice.weights[static_cast<size_t>(i)]) *
                                       (scale.empty() ? 1 : scale[static_cast<size_t>(e)]);
      const ExpertMatrix gate = expert_of(s.gate, e), up = expert_of(s.up, e);
      gate_and_up(s.activation, {gate.weight, gate.bias}, {up.weight, up.bias}, 1,
                  {x.data() + t * width, width}, {row(s.to, t) + i * s.gate.rows, s.gate.rows});
    }
  }
}

void ReferenceExecutable::step(const ExpertDownAdd& s) {
  const int64_t n = columns(s.to), width = s.down.weight.columns;
  std::vector<float> y(static_cast<size_t>(n));
  std::vector<double> sum(static_cast<size_t>(n));
  const auto add = [&](const Tensor& weight, const Tensor& bias, const float* x, int64_t stride,
                       double factor) {
    multiply(weight, bias, 1, {x, stride}, y.data(), n, stop_);
    for (size_t i = 0; i < y.size(); ++i) sum[i] += factor * static_cast<double>(y[i]);
  };
  const auto put = [&](float* to) {
    for (size_t i = 0; i < sum.size(); ++i)
      to[i] = static_cast<float>((s.adds ? static_cast<double>(to[i]) : 0.0) + sum[i]);
    std::fill(sum.begin(), sum.end(), 0.0);
  };
  for (int64_t t = 0; t < n_tokens() && !stopped(); ++t) {
    for (int64_t i = 0; i < s.n_used; ++i) {
      const float* chosen = row(s.chosen, t);
      const ExpertMatrix down = expert_of(s.down, static_cast<int64_t>(chosen[i]));
      add(down.weight, down.bias, row(s.from, t) + i * width, width,
          static_cast<double>(chosen[s.n_used + i]));
    }
    if (s.shared >= 0 && s.shared_to != s.to) put(row(s.to, t));
    if (s.shared >= 0) {
      const double gate = s.logits < 0 ? 1.0 : sigmoid(row(s.logits, t)[columns(s.logits) - 1]);
      add(s.shared_down, s.shared_bias, row(s.shared, t), columns(s.shared), gate);
    }
    put(row(s.shared >= 0 ? s.shared_to : s.to, t));
  }
}

}  // namespace plumb::reference
