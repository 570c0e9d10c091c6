// ModelDesc -> Plan: which fused steps run, on which buffers. Costs are filled in by cost.cpp.

#include <cmath>

#include "base/error.h"
#include "plan/cost.h"
#include "plan/plan.h"

namespace plumb {
namespace {

constexpr int64_t kMaxBatch = 1 << 16, kMaxSequences = 1 << 12;

class Compiler {
 public:
  Compiler(const ModelDesc& desc, const PlanOptions& options) : desc_(desc) {
    plan_.options = options;
    plan_.n_vocab = desc.n_vocab;
    plan_.cache.k = options.cache_k;
    plan_.cache.v = options.cache_v;
  }

  Plan compile() {
    residual_ = buffer("residual", desc_.n_embd);
    add("embedding", -1, Path::embedding, Embed{residual_, desc_.embedding, desc_.embed_scale});
    if (desc_.per_layer.width > 0) add_per_layer_embedding();
    for (size_t i = 0; i < desc_.layers.size(); ++i) {
      layer_ = static_cast<int>(i);
      const Layer& layer = desc_.layers[i];
      std::visit([&](const auto& mixer) { add_mixer(mixer, layer); }, layer.mixer);
      std::visit([&](const auto& ffn) { add_ffn(ffn, layer); }, layer.ffn);
      if (layer.per_layer_input.gate) add_per_layer_input(layer);
    }
    const BufferId logits = buffer("logits", desc_.n_vocab, Rows::logits);
    add("head", -1, Path::head,
        Head{residual_, logits, norm(desc_.final_norm), desc_.head, desc_.head_bias,
             desc_.logit_cap});
    add("pick", -1, Path::head, Pick{logits});
    for (Step& step : plan_.steps) step.cost = cost_of(plan_, step);
    return std::move(plan_);
  }

 private:
  Norm norm(const Tensor& weight) const { return {weight, desc_.norm_eps}; }

  // Layers share buffers of the same name; one is as wide as its widest user.
  BufferId buffer(const std::string& name, int64_t columns, Rows rows = Rows::token) {
    for (size_t i = 0; i < plan_.buffers.size(); ++i)
      if (plan_.buffers[i].name == name && plan_.buffers[i].columns == columns)
        return static_cast<BufferId>(i);
    plan_.buffers.push_back({name, columns, rows});
    return static_cast<BufferId>(plan_.buffers.size() - 1);
  }

  void add(std::string name, int layer, Path path, StepArgs args) {
    plan_.steps.push_back({std::move(name), layer, path, std::move(args), {}});
  }
  void add(std::string_view what, Path path, StepArgs args) {
    add(fmt::format("layer {} {}", layer_, what), layer_, path, std::move(args));
  }

  // Longer sequences than the original context take the other factors, once for the whole run.
  Rope chosen(const Rope& rope) const {
    Rope chosen = rope;
    if (!rope.long_factors.empty() && plan_.options.n_positions > rope.short_positions)
      chosen.factors = rope.long_factors;
    chosen.long_factors.clear();
    return chosen;
  }

  int cache_layer_of(const Attention& a) {
    if (a.cache_of_layer >= 0) return cache_layers_.at(static_cast<size_t>(a.cache_of_layer));
    plan_.cache.layers.push_back({a.n_kv_heads, a.head_dim, a.window});
    return static_cast<int>(plan_.cache.layers.size()) - 1;
  }

  void add_mixer(const Attention& a, const Layer& layer) {
    Attend attend{.n_heads = a.n_heads,
                  .n_kv_heads = a.n_kv_heads,
                  .head_dim = a.head_dim,
                  .scale = a.scale,
                  .rope = chosen(a.rope),
                  .cache_layer = cache_layer_of(a),
                  .q_norm = norm(a.q_norm),
                  .k_norm = norm(a.k_norm),
                  .v_norm = a.v_norm,
                  .gated = a.output_gate,
                  .appends = a.cache_of_layer < 0,
                  .has_v = bool(a.v),
                  .window = a.window,
                  .logit_cap = a.logit_cap,
                  .sinks = a.sinks};
    cache_layers_.push_back(attend.cache_layer);
    std::vector<Project::Part> parts{{a.q, a.q_bias, 0}};
    if (attend.appends) parts.push_back({a.k, a.k_bias, attend.k_column()});
    if (attend.appends && a.v) parts.push_back({a.v, a.v_bias, attend.v_column()});
    int64_t columns = 0;
    for (const auto& part : parts) columns += part.weight.rows;
    const int64_t q = a.n_heads * a.head_dim;
    attend.qkv = buffer("qkv", columns);
    const BufferId attended = buffer("attended", q);
    add("qkv", Path::attention, Project{residual_, attend.qkv, norm(layer.mixer_norm), parts});
    const BufferId gate = attend.gated ? attend.qkv : -1;
    add("attend", Path::attention, std::move(attend));
    add("merge", Path::attention, MergePartials{attended, a.n_heads, a.head_dim, gate});
    add_output("out", Path::attention, attended, a.out, a.out_bias, layer.post_mixer_norm);
  }

  void add_mixer(const DeltaNet& d, const Layer& layer) {
    DeltaRule rule{.n_k_heads = d.n_k_heads,
                   .n_v_heads = d.n_v_heads,
                   .head_dim = d.head_dim,
                   .conv_width = d.conv_width,
                   .conv = d.conv,
                   .a = d.a,
                   .dt_bias = d.dt_bias,
                   .norm = d.norm,
                   .norm_eps = desc_.norm_eps,
                   .state_layer = static_cast<int>(plan_.states.layers.size())};
    cache_layers_.push_back(-1);
    plan_.states.layers.push_back({rule.state_values(), rule.chunk_values()});
    rule.from = buffer("delta input", rule.beta_column() + d.n_v_heads);
    const BufferId to = rule.to = buffer("delta output", d.inner());
    add("delta input", Path::delta_net,
        Project{residual_,
                rule.from,
                norm(layer.mixer_norm),
                {{d.qkv, {}, 0},
                 {d.z, {}, rule.z_column()},
                 {d.alpha, {}, rule.alpha_column()},
                 {d.beta, {}, rule.beta_column()}}});
    add("delta rule", Path::delta_net, std::move(rule));
    add_output("delta out", Path::delta_net, to, d.out, {}, layer.post_mixer_norm);
  }

  void add_ffn(const DenseFfn& f, const Layer& layer) {
    const BufferId gated = buffer("gated", f.gate.rows);
    add("gate up", Path::dense,
        GateUp{residual_, gated, norm(layer.ffn_norm), f.activation, f.gate, f.up, f.gate_bias,
               f.up_bias});
    add_output("down", Path::dense, gated, f.down, f.down_bias, layer.post_ffn_norm,
               scale_after_ffn(layer));
  }

  void add_ffn(const MoeFfn& f, const Layer& layer) {
    const BufferId logits = buffer("router logits", f.n_experts + (f.shared_gate ? 1 : 0));
    const BufferId chosen = buffer("chosen", 2 * f.n_used),
                   gated = buffer("experts gated", f.n_used * f.gate.rows);
    const auto own_norm = [&](const Tensor& own) { return norm(own ? own : layer.ffn_norm); };
    Route route{.from = residual_,
                .logits = logits,
                .shared = -1,
                .norm = norm(layer.ffn_norm),
                .router_norm = own_norm(f.router_norm),
                .scale = f.router_scale,
                .router = f.router,
                .bias = f.router_bias,
                .shared_gate = f.shared_gate,
                .shared_ffn = {}};
    ExpertDownAdd down{.from = gated,
                       .chosen = chosen,
                       .to = residual_,
                       .n_experts = f.n_experts,
                       .n_used = f.n_used,
                       .down = f.down,
                       .shared_down = {},
                       .shared_bias = {}};
    // Sums that are normed or scaled afterwards stop at buffers of their own, see add_output.
    AddBranches branches{{}, norm(layer.post_ffn_norm), residual_, scale_after_ffn(layer)};
    down.adds = !layer.post_ffn_norm && !f.routed_post_norm && branches.scale == 1;
    if (!down.adds) {
      down.to = buffer("branch", desc_.n_embd);
      branches.branches.push_back({down.to, norm(f.routed_post_norm)});
    }
    if (f.shared) {
      route.shared = down.shared = buffer("shared gated", f.shared->gate.rows);
      route.shared_ffn = *f.shared;
      if (f.shared_gate) down.logits = logits;
      down.shared_to = down.adds ? residual_ : buffer("shared branch", desc_.n_embd);
      down.shared_down = f.shared->down;
      down.shared_bias = f.shared->down_bias;
      if (!down.adds) branches.branches.push_back({down.shared_to, norm(f.shared_post_norm)});
    }
    add("route", Path::router, route);
    add("experts gate up", Path::routed_experts,
        ExpertGateUp{residual_, logits, gated, chosen, own_norm(f.expert_norm), f.n_experts,
                     f.n_used, f.rule, f.activation, f.gate, f.up, f.expert_scale});
    add("experts down", Path::routed_experts, down);
    if (!down.adds) add("experts add", Path::routed_experts, branches);
  }

  // The division of x by sqrt(n_embd) is left to the norm that follows: it changes nothing but the
  // size that eps has beside it.
  void add_per_layer_embedding() {
    const PerLayerEmbedding& p = desc_.per_layer;
    slices_ = buffer("per layer", p.projection.rows);
    add("per-layer projection", -1, Path::embedding,
        Project{residual_, slices_, no_norm_, {{p.projection, {}, 0}}});
    const float eps = desc_.norm_eps * static_cast<float>(desc_.n_embd);
    add("per-layer embedding", -1, Path::embedding,
        EmbedSlices{slices_, p.table, std::sqrt(static_cast<float>(p.width)), Norm{p.norm, eps},
                    std::sqrt(0.5f)});
  }

  void add_per_layer_input(const Layer& layer) {
    const PerLayerInput& p = layer.per_layer_input;
    const BufferId gated = buffer("per layer gated", p.gate.rows);
    add("per-layer gate", Path::other,
        GateBy{residual_, slices_, gated, layer_ * p.gate.rows, p.activation, p.gate});
    add_output("per-layer out", Path::other, gated, p.out, {}, p.post_norm, layer.output_scale);
  }

  // The scale of a layer's output belongs to whatever is added last.
  static float scale_after_ffn(const Layer& layer) {
    return layer.per_layer_input.gate ? 1 : layer.output_scale;
  }

  // What a block adds to the residual stream. A projection cannot norm its own sums, nor scale what
  // others have added: then the sums stop at a buffer of their own.
  void add_output(std::string_view what, Path path, BufferId from, const Tensor& weight,
                  const Tensor& bias, const Tensor& post_norm, float scale = 1) {
    if (!post_norm && scale == 1) return add(what, path, ProjectAdd{from, residual_, weight, bias});
    const BufferId branch = buffer("branch", desc_.n_embd);
    add(what, path, Project{from, branch, no_norm_, {{weight, bias, 0}}});
    add(fmt::format("{} add", what), path,
        AddBranches{{{branch, no_norm_}}, norm(post_norm), residual_, scale});
  }

  const Norm no_norm_{};
  std::vector<int> cache_layers_;  // [layers so far] each one's cache layer; -1 without
  const ModelDesc& desc_;
  Plan plan_;
  BufferId residual_ = 0, slices_ = -1;
  int layer_ = 0;
};

void check_range(std::string_view what, int64_t value, int64_t min, int64_t max) {
  if (value < min || value > max)
    fail("plan: {}: expected {} to {}, got {}", what, min, max, value);
}

void check_cache_format(std::string_view what, Format format) {
  if (format != Format::f32 && format != Format::f16 && format != Format::bf16)
    fail("plan: {}: expected f32, f16 or bf16, got {}", what, format_info(format).name);
}

}  // namespace

Plan compile(const ModelDesc& desc, const PlanOptions& options) {
  PlanOptions complete = options;
  if (complete.n_positions == 0) complete.n_positions = desc.n_context;
  check_range("positions", complete.n_positions, 1, INT32_MAX - kPagePositions);
  check_range("sequences", complete.n_sequences, 1, kMaxSequences);
  check_range("batch", complete.max_batch, 1, kMaxBatch);
  check_range("rows of logits", complete.max_logits, 1, complete.max_batch);
  check_range("snapshots", complete.n_snapshots, 0, kMaxSnapshots);
  check_cache_format("type of K", complete.cache_k);
  check_cache_format("type of V", complete.cache_v);
  return Compiler(desc, complete).compile();
}

}  // namespace plumb
