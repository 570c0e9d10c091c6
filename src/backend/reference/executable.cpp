#include "backend/reference/executable.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "backend/reference/math.h"
#include "base/error.h"
#include "plan/cache_pools.h"

namespace plumb::reference {
namespace {

// The widest attention of the plan, heads times head size.
int64_t widest_attention(const Plan& plan) {
  int64_t widest = 0;
  for (const Step& s : plan.steps)
    if (const auto* a = std::get_if<Attend>(&s.args))
      widest = std::max(widest, a->n_heads * (a->head_dim + 1));
  return widest;
}

}  // namespace

ReferenceExecutable::ReferenceExecutable(const Plan& plan)
    : plan_(plan), sequences_(plan), states_(plan), cache_(cache_bytes(plan)) {
  for (const Buffer& b : plan.buffers) {
    const int64_t rows = b.rows == Rows::token ? plan.options.max_batch : plan.options.max_logits;
    buffers_.emplace_back(static_cast<size_t>(rows * b.columns));
  }
  const std::vector<CachePool> pools = cache_pools(plan);
  pools_.resize(pools.size());
  for (const CacheLayer& layer : plan.cache.layers) {
    layer_pool_.push_back(plumb::pool_of(pools, layer));
    int64_t& page_bytes = pools_[static_cast<size_t>(layer_pool_.back())].page_bytes;
    layer_offset_.push_back(page_bytes);
    page_bytes += kPagePositions * plan.cache.bytes_per_position(layer);
  }
  for (size_t p = 1; p < pools.size(); ++p)
    pools_[p].at =
        pools_[p - 1].at + pages_of(pools[p - 1], plan.options) * pools_[p - 1].page_bytes;
}

int64_t ReferenceExecutable::scratch_bytes(const Plan& plan) {
  const int64_t attention = saturating_mul(
      widest_attention(plan) * static_cast<int64_t>(sizeof(double)), plan.options.max_batch);
  return saturating_add(buffer_bytes(plan), attention);
}

bool ReferenceExecutable::run(const Batch& batch) {
  begin(batch);
  for (size_t i = 0; i < plan_.steps.size() && !stopped(); ++i) run_step(i);
  end();
  const bool done = !stopped();
  if (!done) {
    sequences_.give_back(batch);
    states_.give_back();
  }
  return done;
}

int64_t ReferenceExecutable::truncate(int slot, int64_t n_positions) {
  n_positions = states_.truncate(slot, length(slot), sequences_.reachable(slot, n_positions));
  sequences_.truncate(slot, n_positions);
  return n_positions;
}

int64_t ReferenceExecutable::copy_prefix(int from, int to, int64_t n_positions) {
  n_positions =
      states_.copy_prefix(from, length(from), to, sequences_.reachable(from, n_positions));
  sequences_.copy_prefix(from, to, n_positions);
  return n_positions;
}

void ReferenceExecutable::begin(const Batch& batch) {
  for (const auto& copy : sequences_.extend(batch)) {
    const PoolPlace& pool = pools_[static_cast<size_t>(copy.pool)];
    std::memcpy(cache_.data() + pool.at + copy.to * pool.page_bytes,
                cache_.data() + pool.at + copy.from * pool.page_bytes,
                static_cast<size_t>(pool.page_bytes));
  }
  states_.begin(batch);
  stop_ = states_.can_give_up() ? batch.stop : nullptr;
  tokens_.assign(batch.tokens.begin(), batch.tokens.end());
  positions_.assign(batch.positions.begin(), batch.positions.end());
  slots_.assign(batch.slots.begin(), batch.slots.end());
  all_rows_.resize(tokens_.size());
  std::iota(all_rows_.begin(), all_rows_.end(), 0);
  logits_rows_.clear();
  for (const int64_t t : all_rows_)
    if (batch.wants_logits[static_cast<size_t>(t)]) logits_rows_.push_back(t);
  picked_.assign(logits_rows_.size(), 0);
}

void ReferenceExecutable::run_step(size_t index) {
  if (times_) times_->at(0, index) = {.begin = StepTimes::now()};
  std::visit([&](const auto& s) { step(s); }, plan_.steps[index].args);
  if (times_) times_->at(0, index).end = StepTimes::now();
}

void ReferenceExecutable::watch(StepTimes* times) {
  times_ = times;
  if (times) times->prepare(1, plan_.steps.size());
}

std::span<float> ReferenceExecutable::buffer(BufferId id) {
  const auto at = static_cast<size_t>(id);
  const size_t rows = plan_.buffers[at].rows == Rows::token ? tokens_.size() : logits_rows_.size();
  return {buffers_[at].data(), rows * static_cast<size_t>(columns(id))};
}

std::span<const float> ReferenceExecutable::logits(int64_t row) const {
  CHECK(row >= 0 && row < static_cast<int64_t>(logits_rows_.size()), "row {} of {}", row,
        logits_rows_.size());
  for (size_t i = 0; i < buffers_.size(); ++i)
    if (plan_.buffers[i].rows == Rows::logits)
      return std::span(buffers_[i])
          .subspan(static_cast<size_t>(row * plan_.n_vocab), static_cast<size_t>(plan_.n_vocab));
  CHECK(false, "a plan ends in logits");
  return {};
}

int32_t ReferenceExecutable::picked(int64_t row) const {
  return picked_.at(static_cast<size_t>(row));
}

void ReferenceExecutable::step(const Embed& s) {
  const int64_t n = s.table.columns;
  for (int64_t t = 0; t < n_tokens(); ++t) {
    float* to = row(s.to, t);
    format_info(s.table.format)
        .decode(s.table.data.data() + tokens_[static_cast<size_t>(t)] * s.table.row_bytes(), to, n);
    if (s.scale == 1) continue;
    for (int64_t i = 0; i < n; ++i) to[i] *= s.scale;
  }
}

std::vector<float> ReferenceExecutable::normed_rows(const Norm& norm, BufferId from,
                                                    const std::vector<int64_t>& rows) {
  const auto n = static_cast<size_t>(columns(from));
  const std::vector<float> weight = decode(norm.weight);
  std::vector<float> out(rows.size() * n);
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::span<const float> x(row(from, rows[i]), n);
    const auto to = std::span(out).subspan(i * n, n);
    if (norm.weight)
      rms_norm(x, weight, norm.eps, to);
    else
      std::copy(x.begin(), x.end(), to.begin());
  }
  return out;
}

void ReferenceExecutable::step(const Project& s) {
  const std::vector<float> x = normed_rows(s.norm, s.from, all_rows_);
  for (const Project::Part& part : s.parts)
    multiply(part.weight, part.bias, n_tokens(), {x.data(), columns(s.from)},
             row(s.to, 0) + part.column, columns(s.to), stop_);
}

void ReferenceExecutable::step(const ProjectAdd& s) {
  const int64_t n = columns(s.residual);
  std::vector<float> y(static_cast<size_t>(n_tokens() * n));
  multiply(s.weight, s.bias, n_tokens(), {row(s.from, 0), columns(s.from)}, y.data(), n, stop_);
  float* residual = row(s.residual, 0);
  for (size_t i = 0; i < y.size(); ++i) residual[i] += y[i];
}

void ReferenceExecutable::step(const AddBranches& s) {
  std::vector<double> sum(static_cast<size_t>(n_tokens() * columns(s.residual)));
  for (const auto& branch : s.branches) {
    const std::vector<float> x = normed_rows(branch.norm, branch.from, all_rows_);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(x[i]);
  }
  const auto n = static_cast<size_t>(columns(s.residual));
  const std::vector<float> weight = decode(s.norm.weight);
  std::vector<float> added(sum.begin(), sum.end());
  for (size_t t = 0; t < all_rows_.size(); ++t) {
    const auto x = std::span(added).subspan(t * n, n);
    if (s.norm.weight) rms_norm(x, weight, s.norm.eps, x);
    float* residual = row(s.residual, static_cast<int64_t>(t));
    for (size_t i = 0; i < n; ++i) residual[i] = (residual[i] + x[i]) * s.scale;
  }
}

void ReferenceExecutable::gate_and_up(Activation activation, const Biased& gate, const Biased& up,
                                      int64_t n, Matrix x, RowsOut to) const {
  const int64_t rows = gate.first.rows;
  std::vector<float> ups(static_cast<size_t>(n * rows));
  multiply(gate.first, gate.second, n, x, to.data, to.stride, stop_);
  multiply(up.first, up.second, n, x, ups.data(), rows, stop_);
  for (int64_t t = 0; t < n; ++t)
    for (int64_t i = 0; i < rows; ++i) {
      float& value = to.data[t * to.stride + i];
      value = gated(activation, value, ups[static_cast<size_t>(t * rows + i)]);
    }
}

void ReferenceExecutable::step(const EmbedSlices& s) {
  const auto width = static_cast<size_t>(s.norm.weight.columns);
  const std::vector<float> weight = decode(s.norm.weight);
  std::vector<float> table(static_cast<size_t>(s.table.columns));
  for (int64_t t = 0; t < n_tokens(); ++t) {
    format_info(s.table.format)
        .decode(s.table.data.data() + tokens_[static_cast<size_t>(t)] * s.table.row_bytes(),
                table.data(), s.table.columns);
    float* to = row(s.to, t);
    for (size_t at = 0; at < table.size(); at += width)
      rms_norm({to + at, width}, weight, s.norm.eps, {to + at, width});
    for (size_t i = 0; i < table.size(); ++i) to[i] = s.scale * (to[i] + s.table_scale * table[i]);
  }
}

void ReferenceExecutable::step(const GateBy& s) {
  multiply(s.gate, {}, n_tokens(), {row(s.from, 0), columns(s.from)}, row(s.to, 0), columns(s.to),
           stop_);
  for (int64_t t = 0; t < n_tokens(); ++t)
    for (int64_t i = 0; i < s.gate.rows; ++i) {
      float& to = row(s.to, t)[i];
      to = activated(s.activation, to) * row(s.slices, t)[s.column + i];
    }
}

void ReferenceExecutable::step(const GateUp& s) {
  const std::vector<float> x = normed_rows(s.norm, s.from, all_rows_);
  gate_and_up(s.activation, {s.gate, s.gate_bias}, {s.up, s.up_bias}, n_tokens(),
              {x.data(), columns(s.from)}, {row(s.to, 0), columns(s.to)});
}

void ReferenceExecutable::step(const Head& s) {
  if (logits_rows_.empty()) return;
  const std::vector<float> x = normed_rows(s.norm, s.from, logits_rows_);
  const auto n = static_cast<int64_t>(logits_rows_.size());
  float* logits = row(s.to, 0);
  multiply(s.weight, s.bias, n, {x.data(), columns(s.from)}, logits, columns(s.to), stop_);
  if (s.logit_cap > 0)
    for (int64_t i = 0; i < n * columns(s.to); ++i)
      logits[i] = static_cast<float>(capped(static_cast<double>(logits[i]), s.logit_cap));
}

void ReferenceExecutable::step(const Pick& s) {
  for (size_t r = 0; r < logits_rows_.size(); ++r) {
    const float* logits = row(s.from, static_cast<int64_t>(r));
    picked_[r] = static_cast<int32_t>(std::max_element(logits, logits + plan_.n_vocab) - logits);
  }
}

}  // namespace plumb::reference
