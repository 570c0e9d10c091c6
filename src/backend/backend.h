#pragma once
// Where a plan runs. A backend compiles a Plan once into an Executable and the Executable runs it
// many times: one virtual call per batch, not per step. Every backend gives the same results to
// within its stated accuracy; reference/ is the oracle.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backend/step_times.h"
#include "plan/plan.h"

namespace plumb {

// Tokens to run at once, of any number of sequences. Token i continues the sequence in slots[i] at
// positions[i], which must be that sequence's length so far (tokens of one slot come in rising
// order, without gaps).
struct Batch {
  std::span<const int32_t> tokens;     // ids
  std::span<const int32_t> positions;  // within the sequence, from 0
  std::span<const int32_t> slots;      // 0 .. n_sequences-1
  std::span<const uint8_t> wants_logits;
  const std::atomic<bool>* stop = nullptr;  // when it becomes true, run() gives the batch up
  int64_t size() const { return static_cast<int64_t>(tokens.size()); }
  bool stopped() const { return stop && stop->load(std::memory_order_relaxed); }
};

class Executable {
 public:
  virtual ~Executable() = default;

  // Runs all steps: true. False: the batch was given up (batches of few tokens never are where
  // layers are recurrent), its sequences are as long as before it and there are no logits. Error
  // (and nothing changed): ids or slots out of range, a position that does not continue its
  // sequence, more tokens or logits than the plan allows, a sequence that would outgrow its
  // positions.
  virtual bool run(const Batch& batch) = 0;

  // Of the last batch, in order of the tokens that wanted logits.
  virtual std::span<const float> logits(int64_t row) const = 0;  // [n_vocab]
  virtual int32_t picked(int64_t row) const = 0;                 // id of the largest logit

  virtual int64_t length(int slot) const = 0;  // positions held
  // Forgets all from n_positions on; `to` becomes the first n positions of `from`. Recurrent layers
  // can only go back to what they keep (recurrent_states.h), layers with a window to where they
  // hold what the next token sees (sequences.h): returned is the length that the sequence has now,
  // n_positions or less.
  virtual int64_t truncate(int slot, int64_t n_positions) = 0;
  virtual int64_t copy_prefix(int from, int to, int64_t n_positions) = 0;

  // That ran the last batch.
  virtual int n_threads() const = 0;

  // From the next run on, the steps' times of the last batch stand in `times`; null: no more. Tests
  // and profiles only: it is one more thing to do per step.
  virtual void watch(StepTimes* times) = 0;

  // The same batch one step at a time, for check and profile: begin, steps in order, end. A step
  // may be left out where the buffers it writes are filled instead. Buffers may be read and
  // replaced between steps; rows as the batch has them.
  virtual void begin(const Batch& batch) = 0;
  virtual void run_step(size_t step) = 0;
  virtual void end() = 0;
  virtual std::span<float> buffer(BufferId id) = 0;  // [rows, columns] f32
};

struct CompileOptions {
  // Called with a tensor's bytes, or piece by piece with runs of them, once the backend keeps its
  // own copy and will not read them again. Several threads may call it at once.
  std::function<void(std::span<const uint8_t>)> release_weights = [](std::span<const uint8_t>) {};
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;
  // Everything that compile(plan) will allocate.
  virtual Memory memory(const Plan& plan) const = 0;
  // Error: a step and format for which this backend has no kernel, named with both. The plan must
  // outlive the executable.
  virtual std::unique_ptr<Executable> compile(const Plan& plan,
                                              const CompileOptions& options = {}) = 0;
  // What `info --machine` shows: label and value, e.g. {"instruction set", "avx512"}, {"Q4_1",
  // "panel 16 vnni"}.
  virtual std::vector<std::pair<std::string, std::string>> describe() const = 0;
};

}  // namespace plumb
