#pragma once
// Where the time of a batch goes: every step's share, what it read in that time, how far that is
// from the limit that binds it, and what its threads spent waiting for each other. The steps are
// watched inside the run that `run` itself uses (see backend/step_times.h), many times at about the
// same depth. All figures are means over the same batches, those of the middle half by their time:
// so that they add up, and what hits a batch now and then is left out.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "generate/engine.h"
#include "measure/machine_state.h"
#include "measure/work.h"

namespace plumb {

struct ProfileOptions {
  int64_t n_tokens = 1;  // of a batch
  int64_t depth = 0;  // positions cached before it, or up to 32 more: single tokens go on from it
  int64_t n_batches = 64;
  // Measure the machine's limits with so many threads, before and after; fewer where fewer worked
  // in the end (then twice after); 0: not.
  int limit_threads = 0;
};

// Nanoseconds. A step lasts until the first thread begins the next one; `waiting` is the part in
// which a thread, on average, had nothing to do.
struct StepProfile {
  double wall = 0, waiting = 0;
};

// A batch from handing it over to having its results, and the steps inside.
struct WatchedBatch {
  double wall = 0;
  std::vector<StepProfile> steps;
  int n_threads = 0;
};

struct Profile {
  ProfileOptions options;
  int n_threads = 0;                   // of most batches
  int64_t other_batches = 0;           // that ran with another number of threads: not in the means
  double batch_ns = 0;                 // the whole batch, watched
  double unwatched_ns = 0;             // the same without, in turn with it: the profile's own cost
  int64_t watched = 0, unwatched = 0;  // batches of which times were written down, and not
  std::vector<StepProfile> steps;      // as in the plan
  std::vector<StepTimes> traces;       // of the first few batches
  std::vector<MachineLimits> limits_samples;  // before and after; none: not measured
  MachineLimits limits;                       // the better of them
  MachineState state;                         // of the machine meanwhile

  double steps_ns() const;
  double unaccounted_ns() const { return batch_ns - steps_ns(); }  // before and behind the steps
  double cost() const { return unwatched_ns > 0 ? batch_ns / unwatched_ns - 1 : 0; }
};

// Uses slot 0 of the engine from position 0. Error: depth and batch do not fit its context or its
// largest batch.
Profile profile(Engine& engine, const ProfileOptions& options);

// Means over the middle half of the batches by their time: batch_ns and steps. At least one.
void summarize(std::vector<WatchedBatch> batches, Profile& profile);

// The number of threads of most of the batches, the larger of two. At least one batch.
int usual_threads(std::span<const WatchedBatch> batches);

// Steps that have something in common: a path, a format, a kind.
struct ProfileGroup {
  std::string name;
  int64_t n_steps = 0;
  double wall = 0, waiting = 0;  // ns
  // Of one batch, by the plan: what is read and written, each position of the cache once; of that
  // weights and cache, which come from memory; two for each multiply-add.
  int64_t bytes = 0, memory_bytes = 0, ops = 0;
  double least = 0;   // ns that the machine needs at its limits; 0: not known
  std::string limit;  // that binds for most of it: "reads", "dot8", "bf16", "f32"
  double gbps() const { return wall > 0 ? static_cast<double>(bytes) / wall : 0; }
  double gmacs() const { return wall > 0 ? static_cast<double>(ops) / 2 / wall : 0; }
  double share_of_limit() const { return wall > 0 ? least / wall : 0; }
};
enum class GroupBy { step, kind, path, format };
// In order of time, the longest first; single steps in order of the plan. A step that multiplies by
// weights of two paths (a router's or routed experts' beside the shared expert's) is divided
// between them by the bytes of weights that a token reads of each.
std::vector<ProfileGroup> groups_of(const Profile& profile, const Plan& plan, GroupBy by);

std::string to_text(const Profile& profile, const Plan& plan, bool every_step);
nlohmann::ordered_json to_json(const Profile& profile, const Plan& plan);

// Trace events as Perfetto and chrome://tracing open them (JSON, microseconds).
nlohmann::ordered_json to_trace(const Profile& profile, const Plan& plan);

}  // namespace plumb
