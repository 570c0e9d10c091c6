#include "plan/cost.h"

#include <algorithm>
#include <set>

#include "plan/cache_pools.h"

namespace plumb {
namespace {

constexpr int64_t kF32 = sizeof(float);

template <typename... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

// Multiply-adds of every matrix of the step, two operations each; vectors count nothing.
int64_t matrix_ops(const Step& step) {
  int64_t ops = 0;
  for (const Tensor* t : matrices_of(step)) ops += 2 * t->elements();
  return ops;
}

int64_t all_weight_bytes(const Step& step) {
  int64_t bytes = 0;
  for (const Tensor* t : weights_of(step)) bytes += t->bytes();
  return bytes;
}

// The bytes of one expert, and its share of a bias.
int64_t expert_bytes(const ExpertStack& s) {
  return s.rows * s.weight.row_bytes() + (s.bias ? s.bias.row_bytes() : 0);
}

// Takes the stacks out of what every batch reads and computes, and puts the chosen experts in.
void count_experts(std::initializer_list<const ExpertStack*> stacks, int64_t n_experts,
                   int64_t n_used, Cost& cost) {
  for (const ExpertStack* s : stacks) {
    cost.expert_bytes += expert_bytes(*s);
    cost.weight_bytes -= n_experts * expert_bytes(*s);
    cost.ops_per_token -= 2 * (n_experts - n_used) * s->rows * s->weight.columns;
  }
  cost.n_used = n_used;
  cost.n_experts = n_experts;
}

int64_t columns_of(const Plan& plan, const std::vector<BufferId>& buffers) {
  int64_t columns = 0;
  for (const BufferId id : buffers) columns += plan.buffers[static_cast<size_t>(id)].columns;
  return columns;
}

// Those of a step: what it multiplies by or looks up, and all, norms and biases included.
struct Weights {
  std::vector<const Tensor*> matrices, all;
};

Weights list_weights(const Step& step) {
  Weights w;
  const auto add = [](std::initializer_list<const Tensor*> some, std::vector<const Tensor*>& to) {
    for (const Tensor* t : some)
      if (*t) to.push_back(t);
  };
  const auto vectors = [&](std::initializer_list<const Tensor*> some) { add(some, w.all); };
  const auto matrices = [&](std::initializer_list<const Tensor*> some) {
    add(some, w.matrices);
    add(some, w.all);
  };
  std::visit(
      Overloaded{
          [&](const Embed& s) { matrices({&s.table}); },
          [&](const Project& s) {
            for (const auto& part : s.parts) {
              matrices({&part.weight});
              vectors({&part.bias});
            }
            vectors({&s.norm.weight});
          },
          [&](const Attend& s) {
            vectors({&s.q_norm.weight, &s.k_norm.weight, &s.sinks});
          },
          [&](const MergePartials&) {},
          [&](const DeltaRule& s) {
            matrices({&s.conv});
            vectors({&s.a, &s.dt_bias, &s.norm});
          },
          [&](const ProjectAdd& s) {
            matrices({&s.weight});
            vectors({&s.bias});
          },
          [&](const AddBranches& s) {
            for (const auto& branch : s.branches) vectors({&branch.norm.weight});
            vectors({&s.norm.weight});
          },
          [&](const EmbedSlices& s) {
            matrices({&s.table});
            vectors({&s.norm.weight});
          },
          [&](const GateBy& s) { matrices({&s.gate}); },
          [&](const GateUp& s) {
            matrices({&s.gate, &s.up});
            vectors({&s.gate_bias, &s.up_bias, &s.norm.weight});
          },
          [&](const Route& s) {
            const DenseFfn& f = s.shared_ffn;
            matrices({&s.router, &f.gate, &f.up});
            vectors({&s.bias, &s.router_norm.weight, &s.shared_gate, &f.gate_bias, &f.up_bias});
            if (f.gate && s.norm.weight.name != s.router_norm.weight.name)
              vectors({&s.norm.weight});
          },
          [&](const ExpertGateUp& s) {
            matrices({&s.gate.weight});
            if (s.up.weight.name != s.gate.weight.name) matrices({&s.up.weight});
            vectors({&s.gate.bias, &s.up.bias, &s.norm.weight, &s.expert_scale});
          },
          [&](const ExpertDownAdd& s) {
            matrices({&s.down.weight, &s.shared_down});
            vectors({&s.down.bias, &s.shared_bias});
          },
          [&](const Head& s) {
            matrices({&s.weight});
            vectors({&s.bias, &s.norm.weight});
          },
          [&](const Pick&) {},
      },
      step.args);
  return w;
}

}  // namespace

std::vector<const Tensor*> weights_of(const Step& step) {
  return list_weights(step).all;
}

std::vector<const Tensor*> matrices_of(const Step& step) {
  return list_weights(step).matrices;
}

const Tensor* table_of(const Step& step) {
  if (const auto* s = std::get_if<Embed>(&step.args)) return &s->table;
  if (const auto* s = std::get_if<EmbedSlices>(&step.args)) return &s->table;
  return nullptr;
}

std::vector<WeightUse> weight_uses(const Step& step) {
  std::vector<WeightUse> uses;
  for (const Tensor* t : weights_of(step)) uses.push_back({t, t->bytes(), step.path});
  const auto chosen = [&](const ExpertStack& s, int64_t n_used, int64_t n_experts) {
    for (WeightUse& use : uses)
      if (use.tensor->name == s.weight.name || (s.bias && use.tensor->name == s.bias.name))
        use.bytes_per_token = use.tensor->bytes() / n_experts * n_used;
  };
  const auto shared = [&](std::initializer_list<const Tensor*> tensors) {
    for (WeightUse& use : uses)
      if (std::find(tensors.begin(), tensors.end(), use.tensor) != tensors.end())
        use.path = Path::shared_expert;
  };
  if (const Tensor* table = table_of(step)) uses[0].bytes_per_token = table->row_bytes();
  if (const auto* s = std::get_if<Route>(&step.args)) {
    const DenseFfn& f = s->shared_ffn;
    shared({&s->shared_gate, &f.gate, &f.up, &f.gate_bias, &f.up_bias, &s->norm.weight});
  }
  if (const auto* s = std::get_if<ExpertGateUp>(&step.args))
    for (const ExpertStack* stack : {&s->gate, &s->up}) chosen(*stack, s->n_used, s->n_experts);
  if (const auto* s = std::get_if<ExpertDownAdd>(&step.args)) {
    chosen(s->down, s->n_used, s->n_experts);
    shared({&s->shared_down, &s->shared_bias});
  }
  return uses;
}

std::vector<BufferId> buffers_read(const Step& step) {
  return std::visit(Overloaded{
                        [](const Embed&) { return std::vector<BufferId>{}; },
                        [](const Project& s) { return std::vector{s.from}; },
                        [](const Attend& s) { return std::vector{s.qkv}; },
                        [](const MergePartials& s) {
                          return s.gate < 0 ? std::vector<BufferId>{} : std::vector{s.gate};
                        },
                        [](const DeltaRule& s) { return std::vector{s.from}; },
                        [](const ProjectAdd& s) {
                          return std::vector{s.from, s.residual};
                        },
                        [](const AddBranches& s) {
                          std::vector read{s.residual};
                          for (const auto& branch : s.branches) read.push_back(branch.from);
                          return read;
                        },
                        [](const EmbedSlices& s) { return std::vector{s.to}; },
                        [](const GateBy& s) {
                          return std::vector{s.from, s.slices};
                        },
                        [](const GateUp& s) { return std::vector{s.from}; },
                        [](const Route& s) { return std::vector{s.from}; },
                        [](const ExpertGateUp& s) {
                          return std::vector{s.from, s.logits};
                        },
                        [](const ExpertDownAdd& s) {
                          std::vector ids{s.from, s.chosen};
                          if (s.shared >= 0) ids.push_back(s.shared);
                          if (s.logits >= 0) ids.push_back(s.logits);
                          if (s.adds) ids.push_back(s.to);
                          return ids;
                        },
                        [](const Head& s) { return std::vector{s.from}; },
                        [](const Pick& s) { return std::vector{s.from}; },
                    },
                    step.args);
}

std::vector<BufferId> buffers_written(const Step& step) {
  return std::visit(Overloaded{
                        [](const Embed& s) { return std::vector{s.to}; },
                        [](const Project& s) { return std::vector{s.to}; },
                        [](const Attend&) { return std::vector<BufferId>{}; },
                        [](const MergePartials& s) { return std::vector{s.to}; },
                        [](const DeltaRule& s) { return std::vector{s.to}; },
                        [](const ProjectAdd& s) { return std::vector{s.residual}; },
                        [](const AddBranches& s) { return std::vector{s.residual}; },
                        [](const EmbedSlices& s) { return std::vector{s.to}; },
                        [](const GateBy& s) { return std::vector{s.to}; },
                        [](const GateUp& s) { return std::vector{s.to}; },
                        [](const Route& s) {
                          std::vector ids{s.logits};
                          if (s.shared >= 0) ids.push_back(s.shared);
                          return ids;
                        },
                        [](const ExpertGateUp& s) {
                          return std::vector{s.to, s.chosen};
                        },
                        [](const ExpertDownAdd& s) {
                          std::vector ids{s.to};
                          if (s.shared >= 0 && s.shared_to != s.to) ids.push_back(s.shared_to);
                          return ids;
                        },
                        [](const Head& s) { return std::vector{s.to}; },
                        [](const Pick&) { return std::vector<BufferId>{}; },
                    },
                    step.args);
}

Cost cost_of(const Plan& plan, const Step& step) {
  Cost cost;
  cost.weight_bytes = all_weight_bytes(step);
  cost.read_per_token = columns_of(plan, buffers_read(step)) * kF32;
  cost.write_per_token = columns_of(plan, buffers_written(step)) * kF32;
  cost.ops_per_token = matrix_ops(step);
  if (const auto* s = std::get_if<DeltaRule>(&step.args)) {
    const int64_t conv = s->conv_values(), state = s->state_values(), chunk = s->chunk_values();
    cost.state_read = (state + chunk / 2) * kF32;
    cost.state_write = conv * kF32;
    cost.state_write_per_token = (state - conv + chunk) / kDeltaChunk * kF32;
    // Prediction, read-out and update of the state, its decay once per chunk; products with the
    // chunk's keys, and sums over its changes.
    cost.ops_per_token += s->inner() * (6 * s->head_dim + s->head_dim / kDeltaChunk) +
                          2 * kDeltaChunk * (2 * s->n_k_heads * s->head_dim + s->inner());
  }
  if (const auto* s = std::get_if<ExpertGateUp>(&step.args))
    count_experts({&s->gate, &s->up}, s->n_experts, s->n_used, cost);
  if (const auto* s = std::get_if<ExpertDownAdd>(&step.args))
    count_experts({&s->down}, s->n_experts, s->n_used, cost);
  if (const Tensor* table = table_of(step)) {  // one row of it per token, and no arithmetic
    cost.weight_bytes -= table->bytes();
    cost.read_per_token += table->row_bytes();
    cost.ops_per_token = 0;
  }
  if (const auto* s = std::get_if<GateBy>(&step.args))  // one slice of all
    cost.read_per_token =
        (plan.buffers[static_cast<size_t>(s->from)].columns + s->gate.rows) * kF32;
  if (const auto* attend = std::get_if<Attend>(&step.args)) {
    const int64_t kv = attend->n_kv_heads * attend->head_dim,
                  q = attend->n_heads * attend->head_dim;
    const int64_t cached = format_bytes(plan.cache.k, kv) + format_bytes(plan.cache.v, kv);
    cost.read_per_position = cached;
    cost.write_per_token = (attend->appends ? cached : 0) + q * kF32;  // what MergePartials reads
    cost.ops_per_position = 4 * q;                                     // q.k and p*v
    cost.window = attend->window;
  }
  if (const auto* merge = std::get_if<MergePartials>(&step.args))
    cost.read_per_token = merge->n_heads * merge->head_dim * kF32 * (merge->gate < 0 ? 1 : 2);
  return cost;
}

std::string_view kind_name(const StepArgs& args) {
  constexpr std::string_view kNames[] = {
      "embed",       "project",        "attend",          "merge_partials", "delta_rule",
      "project_add", "add_branches",   "embed_slices",    "gate_by",        "gate_up",
      "route",       "expert_gate_up", "expert_down_add", "head",           "pick"};
  static_assert(std::size(kNames) == std::variant_size_v<StepArgs>);
  return kNames[args.index()];
}

std::string_view path_name(Path path) {
  constexpr std::string_view kNames[] = {"attention",      "delta_net",     "dense",
                                         "routed_experts", "shared_expert", "router",
                                         "head",           "embedding",     "other"};
  return kNames[static_cast<size_t>(path)];
}

int64_t saturating_mul(int64_t a, int64_t b) {
  int64_t r;
  return __builtin_mul_overflow(a, b, &r) ? INT64_MAX : r;
}

int64_t saturating_add(int64_t a, int64_t b) {
  int64_t r;
  return __builtin_add_overflow(a, b, &r) ? INT64_MAX : r;
}

int64_t Cost::seen(int64_t n, int64_t depth, int64_t window) {
  if (window > 0) {  // the first tokens see fewer positions, the others a window each
    const int64_t few = std::clamp<int64_t>(window - depth, 0, n);
    return saturating_add(seen(few, depth), saturating_mul(n - few, window));
  }
  const bool even = n % 2 == 0;
  return saturating_add(saturating_mul(n, depth),
                        saturating_mul(even ? n / 2 : n, even ? n + 1 : (n + 1) / 2));
}

int64_t Cost::reads(int64_t n, int64_t depth) const {
  const int64_t experts =
      saturating_mul(std::min(saturating_mul(n, n_used), n_experts), expert_bytes);
  return saturating_add(saturating_add(saturating_add(weight_bytes, state_read), experts),
                        saturating_add(saturating_mul(n, read_per_token),
                                       saturating_mul(seen(n, depth, window), read_per_position)));
}

int64_t Cost::writes(int64_t n) const {
  return saturating_add(state_writes(n), saturating_mul(n, write_per_token));
}

int64_t Cost::state_writes(int64_t n) const {
  return saturating_add(state_write,
                        saturating_mul(std::min(n, kDeltaChunk), state_write_per_token));
}

int64_t Cost::ops(int64_t n, int64_t depth) const {
  return saturating_add(saturating_mul(n, ops_per_token),
                        saturating_mul(seen(n, depth, window), ops_per_position));
}

int64_t CacheLayout::bytes_per_position(const CacheLayer& layer) const {
  const int64_t values = layer.n_kv_heads * layer.head_dim;
  return format_bytes(k, values) + format_bytes(v, values);
}

int64_t CacheLayout::bytes_per_position() const {
  int64_t bytes = 0;
  for (const CacheLayer& layer : layers) bytes = saturating_add(bytes, bytes_per_position(layer));
  return bytes;
}

int64_t cache_bytes(const Plan& plan) {
  const std::vector<CachePool> pools = cache_pools(plan);
  int64_t bytes = 0;
  for (const CacheLayer& layer : plan.cache.layers) {
    const int64_t pages = pages_of(pools[static_cast<size_t>(pool_of(pools, layer))], plan.options);
    const int64_t page = saturating_mul(kPagePositions, plan.cache.bytes_per_position(layer));
    bytes = saturating_add(bytes, saturating_mul(pages, page));
  }
  return bytes;
}

int64_t StateLayout::sum(int64_t StateLayer::*values) const {
  int64_t n = 0;
  for (const StateLayer& layer : layers) n = saturating_add(n, layer.*values);
  return saturating_mul(n, kF32);
}

int64_t state_bytes(const Plan& plan) {
  const PlanOptions& o = plan.options;
  return saturating_mul(saturating_add(plan.states.bytes(), plan.states.chunk_bytes()),
                        o.n_sequences * (1 + o.n_snapshots));
}

int64_t state_traffic(const Plan& plan, int64_t n) {
  int64_t bytes = 0;
  for (const Step& step : plan.steps)
    bytes = saturating_add(bytes, saturating_add(step.cost.state_read, step.cost.state_writes(n)));
  return bytes;
}

int64_t buffer_bytes(const Plan& plan) {
  int64_t bytes = 0;
  for (const Buffer& b : plan.buffers) {
    const int64_t rows = b.rows == Rows::token ? plan.options.max_batch : plan.options.max_logits;
    bytes = saturating_add(bytes, saturating_mul(saturating_mul(rows, b.columns), kF32));
  }
  return bytes;
}

int64_t weight_bytes(const Plan& plan) {
  std::set<std::string_view> seen;
  int64_t bytes = 0;
  for (const Step& step : plan.steps)
    for (const Tensor* t : weights_of(step))
      if (seen.insert(t->name).second) bytes = saturating_add(bytes, t->bytes());
  return bytes;
}

Memory Memory::operator+(const Memory& other) const {
  return {.weights = saturating_add(weights, other.weights),
          .kv = saturating_add(kv, other.kv),
          .state = saturating_add(state, other.state),
          .scratch = saturating_add(scratch, other.scratch),
          .mapped = saturating_add(mapped, other.mapped),
          .mapped_experts = saturating_add(mapped_experts, other.mapped_experts)};
}

int64_t Memory::total() const {
  return saturating_add(saturating_add(weights, kv), saturating_add(state, scratch));
}

}  // namespace plumb
