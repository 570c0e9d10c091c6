#pragma once
// A plan held ready on the CPU: weights in panels, cache, work space, compiled steps.

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/steps.h"
#include "backend/cpu/thread_count.h"
#include "backend/recurrent_states.h"

namespace plumb::cpu {

class CpuExecutable final : public Executable {
 public:
  CpuExecutable(const Plan& plan, const KernelSet& kernels, std::shared_ptr<ThreadPool> pool,
                Lives lives, int64_t room, const CompileOptions& options);

  static Memory memory(const Plan& plan, Lives lives, int n_threads, int64_t room);

  bool run(const Batch& batch) override;
  std::span<const float> logits(int64_t row) const override;
  int32_t picked(int64_t row) const override;
  int64_t length(int slot) const override { return sequences_.length(slot); }
  int64_t truncate(int slot, int64_t n_positions) override;
  int64_t copy_prefix(int from, int to, int64_t n_positions) override;
  int n_threads() const override { return n_threads_; }
  void watch(StepTimes* times) override;
  void begin(const Batch& batch) override;
  void run_step(size_t step) override;
  void end() override {}
  std::span<float> buffer(BufferId id) override;

 private:
  void work(Worker worker, size_t step);

  const Plan& plan_;
  std::shared_ptr<ThreadPool> pool_;
  Weights weights_;
  Cache cache_;
  AnonymousMemory scratch_;
  Workspace workspace_;
  Sequences sequences_;
  RecurrentStates states_;
  BatchState batch_;
  Handout handout_;
  ThreadCount thread_count_;
  int n_threads_ = 1;  // of the last run
  RunState state_;
  std::vector<CompiledStep> steps_;
  StepTimes* times_ = nullptr;     // null: nobody watches
  const float* logits_ = nullptr;  // [max_logits, n_vocab]
};

}  // namespace plumb::cpu
