#pragma once
// Times a test as llama-bench does (the same tokens per batch, random ones, nothing of tokenising),
// on the path that `run` takes: Session::feed on a loaded Engine, and the sampler when asked for.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "generate/sampler.h"
#include "generate/session.h"
#include "measure/bench_cases.h"
#include "measure/machine_state.h"
#include "measure/work.h"

namespace plumb {

struct BenchOptions {
  int repetitions = 5;
  bool warm_up = true;
  bool with_sampling = false;  // tokens are sampled, by default settings
  bool all_logits = false;     // of prompts: of every token, as when drafts are verified
  bool measure_limits = true;  // of the machine, before and after each test
  std::string backend = "auto", cpu;
  bool no_repack = false;
};

struct BenchResult {
  std::vector<int64_t> samples_ns;   // one per repetition
  std::vector<int> samples_threads;  // that ran its last batch
  BenchOptions options;
  std::string instruction_set;  // "" where the backend has no choice
  std::string test_time;        // when it began: "2026-01-31T12:00:00Z"
  Work work;
  Arithmetic arithmetic = Arithmetic::f32;
  Limits limits;                    // the larger of those measured before and after
  std::vector<double> read_limits;  // as they were measured, bytes per second
  std::vector<double> macs_limits;  // multiply-adds per second
  MachineState state;               // from the first to the last repetition
  int64_t weight_bytes_per_token = 0;
  std::string model_type;                      // "llama 135M Q4_1"
  int64_t model_size = 0, model_n_params = 0;  // bytes and numbers of all tensors
  std::string backend;
};

double tokens_per_second(const BenchTest& test, int64_t ns);

// One model loaded for tests with one set-up.
class Bench {
 public:
  // n_positions: that the largest of the tests needs. Error: what Engine throws.
  Bench(const BenchSetup& setup, int64_t n_positions, const BenchOptions& options);

  // progress gets what is done now: "warm-up", "run 2/5".
  BenchResult run(const BenchTest& test,
                  const std::function<void(const std::string&)>& progress = {});

  // As the last repetition left them.
  Engine& engine() { return engine_; }
  std::span<const int32_t> ids() const { return session_.ids(); }

 private:
  void fill_to(int64_t depth);
  void feed_prompt(int64_t n);
  void generate(int64_t n);
  int64_t time_once(const BenchTest& test);
  void measure_limits(BenchResult& result) const;

  BenchSetup setup_;
  BenchOptions options_;
  Engine engine_;
  Session session_;
  std::optional<Sampler> sampler_;
  std::vector<int32_t> tokens_;  // as many random ids as there are positions
};

// Throws where a set-up cannot work or has not the memory, without loading weights. Returns the
// positions that the model was made for.
int64_t check_setup(const BenchSetup& setup, int64_t n_positions, const BenchOptions& options);

}  // namespace plumb
