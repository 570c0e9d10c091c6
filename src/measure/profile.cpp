#include "measure/profile.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/error.h"
#include "generate/session.h"

namespace plumb {
namespace {

constexpr size_t kTraces = 4;  // batches in a trace file

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

// Some ids from all over the vocabulary: what they are changes no step's cost.
std::vector<int32_t> some_ids(int64_t n, int64_t n_vocab) {
  std::vector<int32_t> ids(static_cast<size_t>(n));
  for (size_t i = 0; i < ids.size(); ++i)
    ids[i] = static_cast<int32_t>(i * 7919 % static_cast<size_t>(n_vocab));
  return ids;
}

// Steps of one watched batch that ended at `end`.
std::vector<StepProfile> steps_of(const StepTimes& times, int64_t end) {
  const auto first = [&](size_t step) {
    int64_t begin = times.at(0, step).begin;
    for (int t = 1; t < times.n_threads(); ++t) begin = std::min(begin, times.at(t, step).begin);
    return begin;
  };
  std::vector<StepProfile> steps(times.n_steps());
  for (size_t i = 0; i < steps.size(); ++i) {
    const int64_t next = i + 1 < steps.size() ? first(i + 1) : end;
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
    if (options.depth > 0) session_.feed(some_ids(options.depth, engine.plan().n_vocab));
    result_.options = options;
  }

  Profile run() {
    time();  // once to warm up
    const size_t n_steps = engine_.plan().steps.size();
    std::vector<std::vector<double>> walls(n_steps), waits(n_steps);
    std::vector<double> watched, unwatched;
    for (int64_t i = 0; i < result_.options.n_batches; ++i) {
      unwatched.push_back(time());
      engine_.executable().watch(&times_);
      watched.push_back(time());
      engine_.executable().watch(nullptr);
      const auto steps = steps_of(times_, end_);
      for (size_t s = 0; s < n_steps; ++s) {
        walls[s].push_back(steps[s].wall);
        waits[s].push_back(steps[s].waiting);
      }
      if (result_.traces.size() < kTraces) result_.traces.push_back(times_);
    }
    result_.n_threads = times_.n_threads();
    result_.batch_ns = median(watched);
    result_.unwatched_ns = median(unwatched);
    for (size_t s = 0; s < n_steps; ++s)
      result_.steps.push_back({median(std::move(walls[s])), median(std::move(waits[s]))});
    return std::move(result_);
  }

 private:
  // One batch, and back to the depth before it.
  double time() {
    const int64_t start = StepTimes::now();
    session_.feed(ids_);
    end_ = StepTimes::now();
    session_.truncate(result_.options.depth);
    return static_cast<double>(end_ - start);
  }

  Engine& engine_;
  Session session_;
  std::vector<int32_t> ids_;
  StepTimes times_;
  int64_t end_ = 0;
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

std::string name_of(const Step& step, GroupBy by) {
  switch (by) {
    case GroupBy::step:
      return step.name;
    case GroupBy::kind:
      return std::string(kind_name(step.args));
    case GroupBy::path:
      return std::string(path_name(step.path));
    case GroupBy::format:
      return formats_of(step).empty() ? "none" : formats_of(step);
  }
  return "";
}

}  // namespace

double Profile::steps_ns() const {
  return std::accumulate(steps.begin(), steps.end(), 0.0,
                         [](double sum, const StepProfile& s) { return sum + s.wall; });
}

Profile profile(Engine& engine, const ProfileOptions& options) {
  return Profiler(engine, options).run();
}

std::vector<ProfileGroup> groups_of(const Profile& profile, const Plan& plan, GroupBy by) {
  std::vector<ProfileGroup> groups;
  std::map<std::string, size_t> index;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    const std::string name = name_of(step, by);
    const auto [at, is_new] = index.emplace(name, groups.size());
    if (is_new) groups.push_back({.name = name});
    ProfileGroup& group = groups[at->second];
    ++group.n_steps;
    group.wall += profile.steps[i].wall;
    group.waiting += profile.steps[i].waiting;
    const int64_t n = rows_of(step, plan, profile.options), depth = profile.options.depth;
    group.bytes += step.cost.reads(n, depth) + step.cost.writes(n);
    group.ops += step.cost.ops(n, depth);
  }
  if (by != GroupBy::step) std::ranges::sort(groups, std::greater(), &ProfileGroup::wall);
  return groups;
}

}  // namespace plumb
