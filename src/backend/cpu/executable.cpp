#include "backend/cpu/executable.h"

#include <atomic>

#include "base/error.h"

namespace plumb::cpu {
namespace {

constexpr int64_t kFewTokens = 8;

int64_t scratch_bytes(const Plan& plan, const Weights& weights, int n_threads) {
  Carver counter;
  carve_workspace(plan, weights.packed_bytes(), n_threads, counter);
  return counter.used();
}

// With as many experts in panels as fit beside everything else.
Weights weights_within(const Plan& plan, Lives lives, int n_threads, int64_t room) {
  const Weights all(plan, lives), none(plan, lives, 0);
  const int64_t others =
      saturating_add(saturating_add(Cache::bytes(plan), state_bytes(plan)),
                     saturating_add(scratch_bytes(plan, none, n_threads), rotation_bytes(plan)));
  if (saturating_add(all.bytes(), others) <= room) return Weights(plan, lives);
  return Weights(plan, lives, std::max<int64_t>(0, room - others));
}

Workspace workspace_in(const AnonymousMemory& memory, const Plan& plan, const Weights& weights,
                       int n_threads) {
  Carver carver(memory.data());
  return carve_workspace(plan, weights.packed_bytes(), n_threads, carver);
}

}  // namespace

CpuExecutable::CpuExecutable(const Plan& plan, const KernelSet& kernels,
                             std::shared_ptr<ThreadPool> pool, Lives lives, int64_t room,
                             const CompileOptions& options)
    : plan_(plan),
      pool_(std::move(pool)),
      weights_(weights_within(plan, lives, pool_->size(), room)),
      cache_(plan),
      scratch_(scratch_bytes(plan, weights_, pool_->size())),
      workspace_(workspace_in(scratch_, plan, weights_, pool_->size())),
      sequences_(plan),
      states_(plan),
      batch_(plan),
      handout_(pool_->size()),
      thread_count_(pool_->size()),
      state_{kernels, *pool_, sequences_, states_, batch_, cache_, workspace_, handout_} {
  weights_.load(*pool_, kernels, options);
  steps_ = compile_steps(plan, weights_, state_);
  for (size_t i = 0; i < plan.buffers.size(); ++i)
    if (plan.buffers[i].rows == Rows::logits) logits_ = workspace_.buffers[i];
  CHECK(logits_, "a plan ends in logits");
}

Memory CpuExecutable::memory(const Plan& plan, Lives lives, int n_threads, int64_t room) {
  const Weights weights = weights_within(plan, lives, n_threads, room);
  return {.weights = weights.bytes(),
          .kv = Cache::bytes(plan),
          .state = state_bytes(plan),
          .scratch = saturating_add(scratch_bytes(plan, weights, n_threads), rotation_bytes(plan)),
          .mapped = weights.file_bytes(),
          .mapped_experts = weights.expert_file_bytes()};
}

// The first thread decides which step is the last, and all know it behind that step's barrier; one
// that hears of it a step before, because the first is ahead, runs that step like the others.
bool CpuExecutable::run(const Batch& batch) {
  begin(batch);
  handout_.begin();
  // A long batch has enough work in each step for a thread that comes and goes.
  const bool counted = batch_.size() <= kFewTokens;
  n_threads_ = counted ? thread_count_.now() : pool_->size();
  if (times_) times_->start(n_threads_);
  const int64_t start = StepTimes::now(), parked = pool_->parked_ns();
  std::atomic<size_t> last{steps_.size() - 1};
  pool_->run(n_threads_, [this, &batch, &last](int thread, int n_threads) {
    const Worker worker{state_, thread, n_threads};
    for (size_t i = 0; i <= last; ++i) {
      work(worker, i);
      if (thread == 0 && states_.can_give_up() && batch.stopped()) last = i;
      worker.barrier();
    }
  });
  end();
  if (counted)
    thread_count_.ran(batch_.size(), StepTimes::now() - start, pool_->parked_ns() - parked);
  const bool done = last + 1 == steps_.size();
  if (!done) {
    sequences_.give_back(batch);
    states_.give_back();
  }
  return done;
}

int64_t CpuExecutable::truncate(int slot, int64_t n_positions) {
  n_positions = states_.truncate(slot, length(slot), sequences_.reachable(slot, n_positions));
  sequences_.truncate(slot, n_positions);
  return n_positions;
}

int64_t CpuExecutable::copy_prefix(int from, int to, int64_t n_positions) {
  n_positions =
      states_.copy_prefix(from, length(from), to, sequences_.reachable(from, n_positions));
  sequences_.copy_prefix(from, to, n_positions);
  return n_positions;
}

void CpuExecutable::work(Worker worker, size_t step) {
  const auto run = [&] { std::visit([&](const auto& s) { s.run(worker); }, steps_[step]); };
  if (!times_) return run();
  worker.watched = &times_->at(worker.thread, step);
  *worker.watched = {.begin = StepTimes::now()};
  run();
  worker.watched->end = StepTimes::now();
}

void CpuExecutable::watch(StepTimes* times) {
  times_ = times;
  if (times) times->prepare(pool_->size(), steps_.size());
}

void CpuExecutable::begin(const Batch& batch) {
  for (const auto& copy : sequences_.extend(batch)) cache_.copy_page(copy.pool, copy.from, copy.to);
  states_.begin(batch);
  batch_.set(batch);
}

void CpuExecutable::run_step(size_t step) {
  handout_.begin();
  n_threads_ = pool_->size();
  if (times_) times_->start(n_threads_);
  pool_->run([this, step](int thread, int n_threads) { work({state_, thread, n_threads}, step); });
}

std::span<float> CpuExecutable::buffer(BufferId id) {
  const auto at = static_cast<size_t>(id);
  const Buffer& buffer = plan_.buffers[at];
  const int64_t rows = buffer.rows == Rows::token ? batch_.size() : batch_.n_logits();
  return {workspace_.buffers[at], static_cast<size_t>(rows * buffer.columns)};
}

std::span<const float> CpuExecutable::logits(int64_t row) const {
  CHECK(row >= 0 && row < batch_.n_logits(), "row {} of {}", row, batch_.n_logits());
  return {logits_ + row * plan_.n_vocab, static_cast<size_t>(plan_.n_vocab)};
}

int32_t CpuExecutable::picked(int64_t row) const {
  CHECK(row >= 0 && row < batch_.n_logits(), "row {} of {}", row, batch_.n_logits());
  int32_t id = 0;
  float largest = -std::numeric_limits<float>::infinity();
  for (int i = 0; i < n_threads_; ++i) {  // in order of ids, so the lowest wins
    const Best& best = workspace_.workers[static_cast<size_t>(i)].best[row];
    if (best.id < 0 || !(best.value > largest)) continue;
    largest = best.value;
    id = best.id;
  }
  return id;
}

}  // namespace plumb::cpu
