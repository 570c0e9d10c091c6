// ModelDesc -> Plan: which fused steps run, on which buffers. Costs are filled in by cost.cpp.

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
    add("embedding", -1, Path::embedding, Embed{residual_, desc_.embedding});
    for (size_t i = 0; i < desc_.layers.size(); ++i) {
      layer_ = static_cast<int>(i);
      const Layer& layer = desc_.layers[i];
      std::visit([&](const auto& mixer) { add_mixer(mixer, norm(layer.mixer_norm)); }, layer.mixer);
      std::visit([&](const auto& ffn) { add_ffn(ffn, norm(layer.ffn_norm)); }, layer.ffn);
    }
    const BufferId logits = buffer("logits", desc_.n_vocab, Rows::logits);
    add("head", -1, Path::head, Head{residual_, logits, norm(desc_.final_norm), desc_.head});
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

  void add_mixer(const Attention& a, const Norm& norm) {
    const int64_t q = a.n_heads * a.head_dim, kv = a.n_kv_heads * a.head_dim;
    const BufferId qkv = buffer("qkv", q + 2 * kv), attended = buffer("attended", q);
    add("qkv", Path::attention,
        Project{residual_,
                qkv,
                norm,
                {{a.q, a.q_bias, 0}, {a.k, a.k_bias, q}, {a.v, a.v_bias, q + kv}}});
    plan_.cache.layers.push_back({a.n_kv_heads, a.head_dim});
    const int cache_layer = static_cast<int>(plan_.cache.layers.size()) - 1;
    add("attend", Path::attention,
        Attend{qkv, a.n_heads, a.n_kv_heads, a.head_dim, a.scale, a.rope, cache_layer});
    add("merge", Path::attention, MergePartials{attended, a.n_heads, a.head_dim});
    add("out", Path::attention, ProjectAdd{attended, residual_, a.out, a.out_bias});
  }

  void add_ffn(const DenseFfn& f, const Norm& norm) {
    const BufferId gated = buffer("gated", f.gate.rows);
    add("gate up", Path::dense,
        GateUp{residual_, gated, norm, f.activation, f.gate, f.up, f.gate_bias, f.up_bias});
    add("down", Path::dense, ProjectAdd{gated, residual_, f.down, f.down_bias});
  }

  const ModelDesc& desc_;
  Plan plan_;
  BufferId residual_ = 0;
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
  check_cache_format("type of K", complete.cache_k);
  check_cache_format("type of V", complete.cache_v);
  return Compiler(desc, complete).compile();
}

}  // namespace plumb
