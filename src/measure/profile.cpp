#include "measure/profile.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/error.h"
#include "generate/session.h"

namespace plumb {
namespace {

constexpr size_t kTraces = 4;  // batches in a trace file

// Some ids from all over the vocabulary: what they are changes no step's cost.
std::vector<int32_t> some_ids(int64_t n, int64_t n_vocab) {
  std::vector<int32_t> ids(static_cast<size_t>(n));
  for (size_t i = 0; i < ids.size(); ++i)
    ids[i] = static_cast<int32_t>(i * 7919 % static_cast<size_t>(n_vocab));
  return ids;
}

// Between the quartiles of `value`, at least one.
template <typename Item>
std::vector<Item> middle_half(std::vector<Item> items, double Item::*value) {
  std::ranges::sort(items, {}, value);
  const auto outside = static_cast<std::ptrdiff_t>(items.size() / 4);
  return {items.begin() + outside, items.end() - outside};
}

int64_t last_end(const StepTimes& times) {
  int64_t end = 0;
  for (int t = 0; t < times.n_threads(); ++t)
    end = std::max(end, times.at(t, times.n_steps() - 1).end);
  return end;
}

// Of one watched batch.
std::vector<StepProfile> steps_of(const StepTimes& times) {
  const auto first = [&](size_t step) {
    int64_t begin = times.at(0, step).begin;
    for (int t = 1; t < times.n_threads(); ++t) begin = std::min(begin, times.at(t, step).begin);
    return begin;
  };
  std::vector<StepProfile> steps(times.n_steps());
  for (size_t i = 0; i < steps.size(); ++i) {
    const int64_t next = i + 1 < steps.size() ? first(i + 1) : last_end(times);
    double busy = 0;
    for (int t = 0; t < times.n_threads(); ++t)
      busy += static_cast<double>(times.at(t, i).busy()) / times.n_threads();
    steps[i].wall = static_cast<double>(next - first(i));
    steps[i].waiting = std::max(0.0, steps[i].wall - busy);
  }
  return steps;
}

class Profiler {
 public:
  Profiler(Engine& engine, const ProfileOptions& options)
      : engine_(engine), session_(engine), ids_(some_ids(options.n_tokens, engine.plan().n_vocab)) {
    const PlanOptions& plan = engine.plan().options;
    if (options.n_tokens > plan.max_batch)
      fail("profile: expected at most {} tokens in a batch (-ub), got {}", plan.max_batch,
           options.n_tokens);
    if (options.depth + options.n_tokens > plan.n_positions)
      fail("profile: expected depth and batch within {} positions (-c), got {} and {}",
           plan.n_positions, options.depth, options.n_tokens);
    result_.options = options;
  }

  Profile run() {
    time();  // once to warm up
    measure_limits(result_.options.limit_threads);
    const StateMeter meter;
    std::vector<WatchedBatch> watched, unwatched;
    for (int64_t i = 0; i < result_.options.n_batches; ++i) {
      unwatched.push_back({time(), {}, engine_.executable().n_threads()});
      engine_.executable().watch(&times_);
      watched.push_back({time(), {}, engine_.executable().n_threads()});
      engine_.executable().watch(nullptr);
      watched.back().steps = steps_of(times_);
      if (result_.traces.size() < kTraces) result_.traces.push_back(times_);
    }
    result_.state = meter.state();
    result_.n_threads = usual_threads(watched);
    keep_usual(unwatched);
    keep_usual(watched);
    if (result_.n_threads < result_.options.limit_threads) {  // other limits are theirs
      forget_limits();
      measure_limits(result_.n_threads);
    }
    measure_limits(std::min(result_.n_threads, result_.options.limit_threads));
    summarize(std::move(unwatched), result_);
    result_.unwatched_ns = result_.batch_ns;
    summarize(std::move(watched), result_);
    return std::move(result_);
  }

 private:
  // One batch. Those of few tokens follow one another for a while, since what a recurrent layer
  // does depends on the place in its chunk; then back to the depth.
  double time() {
    fill();
    const int64_t start = StepTimes::now();
    session_.feed(ids_);
    const int64_t end = StepTimes::now();
    const int64_t next = std::ssize(session_.ids()) + result_.options.n_tokens;
    if (next > std::min(result_.options.depth + kPlaces, engine_.plan().options.n_positions))
      session_.truncate(result_.options.depth);
    const bool is_watched = times_.n_steps() > 0 && times_.at(0, 0).begin >= start;
    ++(is_watched ? result_.watched : result_.unwatched);
    return static_cast<double>(end - start);
  }

  // Threads are left out and tried again while others are at work: such batches are others.
  void keep_usual(std::vector<WatchedBatch>& batches) {
    const auto others = std::stable_partition(
        batches.begin(), batches.end(),
        [&](const WatchedBatch& b) { return b.n_threads == result_.n_threads; });
    if (others == batches.begin()) return;  // nothing else to compare with
    result_.other_batches += batches.end() - others;
    batches.erase(others, batches.end());
  }

  void forget_limits() {
    result_.limits_samples.clear();
    result_.limits = {};
  }
  void measure_limits(int n_threads) {
    if (n_threads == 0) return;
    result_.limits_samples.push_back(measure_machine_limits(n_threads));
    result_.limits = better_of(result_.limits, result_.limits_samples.back());
  }

  // Up to the depth; most models keep all of it from batch to batch.
  void fill() {
    const auto held = static_cast<int64_t>(session_.ids().size());
    const auto ids = some_ids(result_.options.depth, engine_.plan().n_vocab);
    if (held < result_.options.depth)
      session_.feed(std::span(ids).subspan(static_cast<size_t>(held)));
  }

  // Odd, so that watched batches and the others come to every place of a chunk.
  static constexpr int64_t kPlaces = 2 * kDeltaChunk + 1;

  Engine& engine_;
  Session session_;
  std::vector<int32_t> ids_;
  StepTimes times_;
  Profile result_;
};

// Logits are wanted of the last token only.
int64_t rows_of(const Step& step, const Plan& plan, const ProfileOptions& options) {
  const auto is_logits = [&](BufferId id) {
    return plan.buffers[static_cast<size_t>(id)].rows == Rows::logits;
  };
  const bool logits_only = std::ranges::any_of(buffers_written(step), is_logits) ||
                           std::ranges::any_of(buffers_read(step), is_logits);
  return logits_only ? 1 : options.n_tokens;
}

// Weights, recurrent states and the cache, however many tokens of the batch meet them; activations
// stay in the processor's own caches.
int64_t memory_bytes(const Cost& cost, int64_t n_tokens, int64_t depth) {
  const int64_t positions = std::min(Cost::seen(n_tokens, depth, cost.window), depth + n_tokens);
  const int64_t experts = std::min(n_tokens * cost.n_used, cost.n_experts);
  return cost.weight_bytes + experts * cost.expert_bytes + cost.state_read +
         positions * cost.read_per_position;
}

// What the machine needs for a step, by what it needs longest for.
struct Least {
  double ns = 0;
  std::string_view limit;
};
Least least_of(const Step& step, int64_t memory_bytes, int64_t ops, const MachineLimits& limits) {
  const Arithmetic arithmetic = arithmetic_of(step);
  if (limits.read <= 0 || limits.of(arithmetic) <= 0) return {};
  const double reads = 1e9 * static_cast<double>(memory_bytes) / limits.read;
  const double macs = 1e9 * static_cast<double>(ops) / 2 / limits.of(arithmetic);
  return reads >= macs ? Least{reads, "reads"} : Least{macs, arithmetic_name(arithmetic)};
}

struct Part {
  std::string name;
  double share;
};

// A step that also works for the shared expert counts by the weights that a token reads of each.
std::vector<Part> paths_of(const Step& step) {
  std::map<Path, double> bytes;
  double all = 0;
  for (const WeightUse& use : weight_uses(step)) {
    bytes[use.path] += static_cast<double>(use.bytes_per_token);
    all += static_cast<double>(use.bytes_per_token);
  }
  std::vector<Part> parts;
  if (all > 0)
    for (const auto& [path, n] : bytes) parts.push_back({std::string(path_name(path)), n / all});
  else
    parts.push_back({std::string(path_name(step.path)), 1});
  return parts;
}

// The groups that a step belongs to, and with how much of itself.
std::vector<Part> parts_of(const Step& step, GroupBy by) {
  switch (by) {
    case GroupBy::step:
      return {{step.name, 1}};
    case GroupBy::kind:
      return {{std::string(kind_name(step.args)), 1}};
    case GroupBy::path:
      return paths_of(step);
    case GroupBy::format:
      return {{formats_of(step).empty() ? "none" : formats_of(step), 1}};
  }
  return {};
}

int64_t scaled(int64_t n, double share) {
  return share == 1 ? n : static_cast<int64_t>(std::llround(static_cast<double>(n) * share));
}

}  // namespace

double Profile::steps_ns() const {
  return std::accumulate(steps.begin(), steps.end(), 0.0,
                         [](double sum, const StepProfile& s) { return sum + s.wall; });
}

void summarize(std::vector<WatchedBatch> batches, Profile& profile) {
  const auto middle = middle_half(std::move(batches), &WatchedBatch::wall);
  const auto n = static_cast<double>(middle.size());
  profile.batch_ns = 0;
  profile.steps.assign(middle.front().steps.size(), {});
  for (const WatchedBatch& batch : middle) {
    profile.batch_ns += batch.wall / n;
    for (size_t s = 0; s < batch.steps.size(); ++s) {
      profile.steps[s].wall += batch.steps[s].wall / n;
      profile.steps[s].waiting += batch.steps[s].waiting / n;
    }
  }
}

int usual_threads(std::span<const WatchedBatch> batches) {
  std::map<int, int64_t> counts;
  for (const WatchedBatch& b : batches) ++counts[b.n_threads];
  const auto count_first = [](const auto& entry) { return std::pair(entry.second, entry.first); };
  return std::ranges::max_element(counts, {}, count_first)->first;
}

Profile profile(Engine& engine, const ProfileOptions& options) {
  return Profiler(engine, options).run();
}

std::vector<ProfileGroup> groups_of(const Profile& profile, const Plan& plan, GroupBy by) {
  std::vector<ProfileGroup> groups;
  std::map<std::string, size_t> index;
  std::vector<std::map<std::string_view, double>> bound;  // of each group: ns by limit
  const auto index_of = [&](const std::string& name) {
    const auto [at, is_new] = index.emplace(name, groups.size());
    if (is_new) groups.push_back({.name = name});
    if (is_new) bound.emplace_back();
    return at->second;
  };
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    const int64_t n = rows_of(step, plan, profile.options), depth = profile.options.depth;
    const int64_t from_memory = memory_bytes(step.cost, n, depth), ops = step.cost.ops(n, depth);
    const int64_t bytes = from_memory + n * step.cost.read_per_token + step.cost.writes(n);
    const Least least = least_of(step, from_memory, ops, profile.limits);
    for (const auto& [name, share] : parts_of(step, by)) {
      const size_t at = index_of(name);
      ProfileGroup& group = groups[at];
      ++group.n_steps;
      group.wall += share * profile.steps[i].wall;
      group.waiting += share * profile.steps[i].waiting;
      group.bytes += scaled(bytes, share);
      group.memory_bytes += scaled(from_memory, share);
      group.ops += scaled(ops, share);
      group.least += share * least.ns;
      bound[at][least.limit] += share * least.ns;
      group.limit =
          std::ranges::max_element(bound[at], {}, [](const auto& b) { return b.second; })->first;
    }
  }
  if (by != GroupBy::step) std::ranges::sort(groups, std::greater(), &ProfileGroup::wall);
  return groups;
}

}  // namespace plumb
