#include "backend/cpu/batch_state.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace plumb::cpu {
namespace {

bool same(const Rope& a, const Rope& b) {
  return a.layout == b.layout && a.n_dims == b.n_dims && a.base == b.base &&
         a.frequency_scale == b.frequency_scale && a.magnitude == b.magnitude &&
         a.factors == b.factors;
}

std::vector<const Rope*> distinct_ropes(const Plan& plan) {
  std::vector<const Rope*> ropes;
  for (const Step& step : plan.steps) {
    const auto* attend = std::get_if<Attend>(&step.args);
    if (!attend) continue;
    const auto equal = [&](const Rope* r) { return same(*r, attend->rope); };
    if (std::none_of(ropes.begin(), ropes.end(), equal)) ropes.push_back(&attend->rope);
  }
  return ropes;
}

// frequency_scale * base^(-2i/n_dims) / factors[i]
std::vector<double> frequencies(const Rope& rope) {
  const auto half = static_cast<size_t>(rope.n_dims / 2);
  std::vector<double> all(half);
  for (size_t i = 0; i < half; ++i)
    all[i] = static_cast<double>(rope.frequency_scale) *
             std::pow(static_cast<double>(rope.base),
                      -2.0 * static_cast<double>(i) / static_cast<double>(rope.n_dims)) /
             (rope.factors.empty() ? 1 : static_cast<double>(rope.factors[i]));
  return all;
}

}  // namespace

BatchState::BatchState(const Plan& plan) {
  const auto max_batch = static_cast<size_t>(plan.options.max_batch);
  for (auto* v : {&tokens, &positions, &slots, &logits_rows, &order}) v->reserve(max_batch);
  groups.reserve(max_batch);
  next_.resize(max_batch);
  last_of_slot_.assign(static_cast<size_t>(plan.options.n_sequences), -1);
  for (const Rope* rope : distinct_ropes(plan)) {
    const size_t values = max_batch * static_cast<size_t>(rope->n_dims);
    rotations.push_back(
        {*rope, frequencies(*rope), std::vector<float>(values), std::vector<float>(values)});
  }
}

size_t BatchState::rotation_index(const Rope& rope) const {
  for (size_t i = 0; i < rotations.size(); ++i)
    if (same(rotations[i].rope, rope)) return i;
  CHECK(false, "every rope of the plan has a table");
  return 0;
}

void BatchState::set(const Batch& batch) {
  tokens.assign(batch.tokens.begin(), batch.tokens.end());
  positions.assign(batch.positions.begin(), batch.positions.end());
  slots.assign(batch.slots.begin(), batch.slots.end());
  logits_rows.clear();
  for (size_t i = 0; i < tokens.size(); ++i)
    if (batch.wants_logits[i]) logits_rows.push_back(static_cast<int32_t>(i));
  group_by_slot();
  for (RotationTable& table : rotations) fill(table);
}

void BatchState::group_by_slot() {
  order.clear();
  groups.clear();
  for (int32_t i = 0; i < static_cast<int32_t>(tokens.size()); ++i) {
    int32_t& last = last_of_slot_[static_cast<size_t>(slots[static_cast<size_t>(i)])];
    next_[static_cast<size_t>(i)] = -1;
    if (last < 0)
      groups.push_back({i, 0, slots[static_cast<size_t>(i)]});  // first: a token for the moment
    else
      next_[static_cast<size_t>(last)] = i;
    last = i;
  }
  for (Group& group : groups) {
    auto token = static_cast<int32_t>(group.first);
    group.first = static_cast<int64_t>(order.size());
    for (; token >= 0; token = next_[static_cast<size_t>(token)]) order.push_back(token);
    group.n = static_cast<int64_t>(order.size()) - group.first;
    last_of_slot_[static_cast<size_t>(group.slot)] = -1;
  }
}

void BatchState::fill(RotationTable& table) const {
  const bool interleaved = table.rope.layout == RopeLayout::interleaved;
  const auto half = static_cast<size_t>(table.rope.n_dims / 2);
  for (size_t t = 0; t < tokens.size(); ++t) {
    const auto magnitude = static_cast<double>(table.rope.magnitude);
    float* cosines = table.cosines.data() + t * 2 * half;
    float* sines = table.sines.data() + t * 2 * half;
    for (size_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(positions[t]) * table.frequencies[i];
      const size_t first = interleaved ? 2 * i : i, second = interleaved ? first + 1 : i + half;
      cosines[first] = cosines[second] = static_cast<float>(magnitude * std::cos(angle));
      sines[second] = static_cast<float>(magnitude * std::sin(angle));
      sines[first] = -sines[second];
    }
  }
}

int64_t rotation_bytes(const Plan& plan) {
  int64_t bytes = 0;
  for (const Rope* rope : distinct_ropes(plan))
    bytes = saturating_add(bytes, saturating_mul(plan.options.max_batch, rope->n_dims * 8));
  return bytes;
}

}  // namespace plumb::cpu
