#pragma once
// Where the time of a batch goes: every step's share, what it read in that time, and what its
// threads spent waiting for each other. The steps are watched inside the run that `run` itself uses
// (see backend/step_times.h), many times at the same depth; figures are medians over the batches.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "generate/engine.h"

namespace plumb {

struct ProfileOptions {
  int64_t n_tokens = 1;  // of a batch
  int64_t depth = 0;     // positions cached before it
  int64_t n_batches = 64;
};

// Nanoseconds. A step lasts until the first thread begins the next one; `waiting` is the part in
// which a thread, on average, had nothing to do.
struct StepProfile {
  double wall = 0, waiting = 0;
};

struct Profile {
  ProfileOptions options;
  int n_threads = 0;
  double batch_ns = 0;             // the whole batch, watched
  double unwatched_ns = 0;         // the same without, in turn with it: the profile's own cost
  std::vector<StepProfile> steps;  // as in the plan
  std::vector<StepTimes> traces;   // of the first few batches
  double steps_ns() const;
  double cost() const { return unwatched_ns > 0 ? batch_ns / unwatched_ns - 1 : 0; }
};

// Uses slot 0 of the engine from position 0. Error: depth and batch do not fit its context or its
// largest batch.
Profile profile(Engine& engine, const ProfileOptions& options);

// Steps that have something in common: a path, a format, a kind.
struct ProfileGroup {
  std::string name;
  int64_t n_steps = 0;
  double wall = 0, waiting = 0;  // ns
  int64_t bytes = 0, ops = 0;    // of one batch, by the plan
  double gbps() const { return wall > 0 ? static_cast<double>(bytes) / wall : 0; }
  double gops() const { return wall > 0 ? static_cast<double>(ops) / wall : 0; }
};
enum class GroupBy { step, kind, path, format };
// In order of time, the longest first; single steps in order of the plan.
std::vector<ProfileGroup> groups_of(const Profile& profile, const Plan& plan, GroupBy by);

// limit_gbps: the read bandwidth of these threads, 0 where it was not measured.
std::string to_text(const Profile& profile, const Plan& plan, double limit_gbps, bool every_step);
nlohmann::ordered_json to_json(const Profile& profile, const Plan& plan, double limit_gbps);

// Trace events as Perfetto and chrome://tracing open them (JSON, microseconds).
nlohmann::ordered_json to_trace(const Profile& profile, const Plan& plan);

}  // namespace plumb
