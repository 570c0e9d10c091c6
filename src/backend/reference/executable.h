#pragma once
// A plan held ready for the reference backend: buffers, cache, and one function per kind of step.

#include <vector>

#include "backend/backend.h"
#include "backend/recurrent_states.h"
#include "backend/reference/math.h"
#include "backend/sequences.h"
#include "base/memory.h"

namespace plumb::reference {

class ReferenceExecutable final : public Executable {
 public:
  explicit ReferenceExecutable(const Plan& plan);

  bool run(const Batch& batch) override;
  std::span<const float> logits(int64_t row) const override;
  int32_t picked(int64_t row) const override;
  int64_t length(int slot) const override { return sequences_.length(slot); }
  int64_t truncate(int slot, int64_t n_positions) override;
  int64_t copy_prefix(int from, int to, int64_t n_positions) override;
  int n_threads() const override { return 1; }
  void watch(StepTimes* times) override;
  void begin(const Batch& batch) override;
  void run_step(size_t step) override;
  void end() override {}
  std::span<float> buffer(BufferId id) override;

  static int64_t scratch_bytes(const Plan& plan);

 private:
  void step(const Embed& s);
  void step(const Project& s);
  void step(const Attend& s);
  void step(const MergePartials& s);
  void step(const DeltaRule& s);
  void step(const ProjectAdd& s);
  void step(const AddBranches& s);
  void step(const EmbedSlices& s);
  void step(const GateBy& s);
  void step(const GateUp& s);
  void step(const Route& s);
  void step(const ExpertGateUp& s);
  void step(const ExpertDownAdd& s);
  void step(const Head& s);
  void step(const Pick& s);

  bool stopped() const { return stop_ && *stop_; }
  int64_t n_tokens() const { return static_cast<int64_t>(tokens_.size()); }
  int64_t columns(BufferId id) const { return plan_.buffers[static_cast<size_t>(id)].columns; }
  float* row(BufferId id, int64_t index) {
    return buffers_[static_cast<size_t>(id)].data() + index * columns(id);
  }
  std::vector<float> convolve(const DeltaRule& s, std::span<const float> taps, const float* in,
                              float* state) const;
  struct HeadInput {
    const float *q, *k, *v;  // [head_dim]
    double decay, beta;
  };
  void update_head(const DeltaRule& s, const HeadInput& in, float* state, float* out) const;
  // to[t] = activation(gate.first x[t] + gate.second, up.first x[t] + up.second) for n rows
  using Biased = std::pair<const Tensor&, const Tensor&>;
  struct RowsOut {
    float* data;
    int64_t stride;
  };
  void gate_and_up(Activation activation, const Biased& gate, const Biased& up, int64_t n, Matrix x,
                   RowsOut to) const;
  std::vector<float> normed_rows(const Norm& norm, BufferId from, const std::vector<int64_t>& rows);
  uint8_t* cached(const Attend& s, bool is_v, int32_t page, int64_t kv_head, int64_t offset);
  void append_to_cache(const Attend& s, int64_t token);
  void attend_head(const Attend& s, int64_t token, int64_t head, float sink);

  const Plan& plan_;
  StepTimes* times_ = nullptr;  // null: nobody watches
  Sequences sequences_;
  RecurrentStates states_;
  std::vector<std::vector<float>> buffers_;  // [buffer][rows, columns]
  AnonymousMemory cache_;  // [page][layer][K, V][n_kv_heads, kPagePositions, head_dim]
  struct PoolPlace {
    int64_t at = 0, page_bytes = 0;
  };
  int pool_of(const Attend& s) const { return layer_pool_[static_cast<size_t>(s.cache_layer)]; }
  std::vector<PoolPlace> pools_;
  std::vector<int64_t> layer_offset_;  // of a layer's K in a page, bytes
  std::vector<int> layer_pool_;
  const std::atomic<bool>* stop_ = nullptr;  // of the batch; a step that sees it may end half done
  std::vector<int32_t> tokens_, positions_, slots_, picked_;  // the batch
  std::vector<int64_t> all_rows_,
      logits_rows_;  // tokens of the batch; those whose logits are wanted
  std::vector<double> weighted_,
      sums_;  // [n_tokens, n_heads, head_dim], [n_tokens, n_heads]: unmerged attention
};

}  // namespace plumb::reference
