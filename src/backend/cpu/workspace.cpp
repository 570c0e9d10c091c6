#include "backend/cpu/workspace.h"

#include <algorithm>

#include "backend/cpu/panel.h"

namespace plumb::cpu {
namespace {

int64_t even(int64_t n) {
  return n + n % 2;
}

// n rows of activations of up to `values` values altogether.
Activations carve_activations(int64_t values, bool rounded, Carver& carver) {
  const int64_t blocks = values / kBlockColumns;
  Activations x;
  x.values = carver.take<float>(values);
  x.codes = carver.take<int8_t>(values);
  x.scales = carver.take<float>(blocks);
  x.corners = carver.take<int32_t>(blocks);
  x.scaled_sums = carver.take<float>(blocks);
  x.half_corners = carver.take<int32_t>(2 * blocks);
  x.half_sums = carver.take<float>(2 * blocks);
  if (rounded) x.rounded = carver.take<uint16_t>(values);
  return x;
}

Scratch carve_matrix_scratch(const Extents& e, int64_t packed_bytes, Carver& carver) {
  Scratch s;
  s.packed = carver.take<uint8_t>(packed_bytes);
  s.expanded = carver.take<uint8_t>(kExpandedBytes);
  s.sums = carver.take<float>(saturating_mul(e.max_batch, 2 * kPanelRows));
  s.rows = carver.take<float>(e.generic_columns * kPanelRows);
  return s;
}

AttentionScratch carve_attention_scratch(const Extents& e, Carver& carver) {
  AttentionScratch s;
  s.q = carver.take<float>(e.rows * e.head_dim);
  s.key = carver.take<float>(e.head_dim);
  s.head = carver.take<float>(e.head_dim);
  s.scores = carver.take<float>(e.rows * kChunkPositions);
  s.max = carver.take<float>(e.rows);
  s.sum = carver.take<float>(e.rows);
  s.values = carver.take<float>(e.rows * e.head_dim);
  s.chunk_max = carver.take<float>(e.rows);
  s.chunk_sum = carver.take<float>(e.rows);
  s.chunk_values = carver.take<float>(e.rows * e.head_dim);
  s.seen = carver.take<int32_t>(e.rows);
  s.hidden = carver.take<int32_t>(e.rows);
  s.limits = carver.take<int32_t>(e.rows);
  s.page_k = carver.take<float>(kPagePositions * e.head_dim);
  s.page_v = carver.take<float>(kPagePositions * e.head_dim);
  return s;
}

DeltaScratch carve_delta_scratch(const Extents& e, Carver& carver) {
  const int64_t n = kDeltaChunk * e.delta_dim, tokens = e.delta_dim > 0 ? kDeltaChunk : 0;
  DeltaScratch s;
  s.rows = carver.take<float>(2 * n);
  s.products = carver.take<float>(2 * tokens * kDeltaChunk);
  s.v = carver.take<float>(n);
  s.out = carver.take<float>(n);
  s.betas = carver.take<float>(tokens);
  return s;
}

ExpertScratch carve_expert_scratch(const Extents& e, Carver& carver) {
  const int64_t rows = saturating_mul(e.max_batch, e.expert_rows);
  ExpertScratch s;
  s.choices = carver.take<float>(kOwnChoices * 2 * e.expert_rows);
  s.weights = carver.take<float>(rows);
  s.rows = carver.take<int32_t>(rows);
  s.tokens = carver.take<int32_t>(rows);
  s.starts = carver.take<int32_t>(e.experts > 0 ? e.experts + 1 : 0);
  s.groups = carver.take<ExpertScratch::Group>(e.experts);
  s.shared_weights = carver.take<float>(e.shared_columns > 0 ? e.max_batch : 0);
  return s;
}

Partials carve_partials(const Extents& e, Carver& carver) {
  const int64_t rows = std::min(kSplitTokens, e.max_batch) * e.heads;
  const int64_t cells = saturating_mul(rows, e.chunks);
  Partials p;
  p.max = carver.take<float>(cells);
  p.sum = carver.take<float>(cells);
  p.values = carver.take<float>(saturating_mul(cells, e.head_dim));
  p.chunks = e.chunks;
  return p;
}

}  // namespace

Extents::Extents(const Plan& plan)
    : max_batch(plan.options.max_batch),
      max_logits(plan.options.max_logits),
      chunks((plan.options.n_positions + kChunkPositions - 1) / kChunkPositions) {
  for (const Step& step : plan.steps) {
    for (const Tensor* t : matrices_of(step)) {
      columns = std::max(columns, even(t->columns));
      if (t == table_of(step)) continue;
      bf16 = bf16 || t->format == Format::bf16;
      if (!has_panels(t->format)) generic_columns = std::max(generic_columns, t->columns);
    }
    if (const auto* s = std::get_if<DeltaRule>(&step.args))
      delta_dim = std::max(delta_dim, s->head_dim);
    if (const auto* s = std::get_if<ExpertGateUp>(&step.args)) {
      experts = std::max(experts, s->n_experts);
      expert_rows = std::max(expert_rows, s->n_used);
    }
    if (const auto* s = std::get_if<ExpertDownAdd>(&step.args)) {
      expert_values = std::max(expert_values, s->n_used * even(s->down.weight.columns));
      if (s->shared >= 0) shared_columns = std::max(shared_columns, even(s->shared_down.columns));
    }
    if (const auto* a = std::get_if<Attend>(&step.args)) {
      const int64_t group = a->n_heads / a->n_kv_heads;
      heads = std::max(heads, a->n_heads);
      head_dim = std::max(head_dim, (a->head_dim + 15) / 16 * 16);
      rows = std::max({rows, kTileRows, group * kSplitTokens});
    }
  }
}

Workspace carve_workspace(const Plan& plan, int64_t packed_bytes, int n_threads, Carver& carver) {
  const Extents e(plan);
  Workspace w;
  for (const Buffer& b : plan.buffers)
    w.buffers.push_back(carver.take<float>(
        saturating_mul(b.rows == Rows::token ? e.max_batch : e.max_logits, b.columns)));
  w.shared = carve_activations(saturating_mul(e.max_batch, std::max(e.columns, e.expert_values)),
                               e.bf16, carver);
  w.shared_second =
      carve_activations(saturating_mul(e.max_batch, e.shared_columns), e.bf16, carver);
  w.partials = carve_partials(e, carver);
  for (int t = 0; t < n_threads; ++t) {
    WorkerSpace s;
    s.own = carve_activations(kOwnValues, e.bf16, carver);
    if (e.shared_columns > 0) s.own_second = carve_activations(kOwnValues, e.bf16, carver);
    if (e.experts > 0)
      s.gathered = carve_activations(saturating_mul(e.max_batch, e.columns), e.bf16, carver);
    s.delta = carve_delta_scratch(e, carver);
    s.experts = carve_expert_scratch(e, carver);
    s.matrix = carve_matrix_scratch(e, packed_bytes, carver);
    s.attention = carve_attention_scratch(e, carver);
    s.best = carver.take<Best>(e.max_logits);
    w.workers.push_back(s);
  }
  return w;
}

}  // namespace plumb::cpu
