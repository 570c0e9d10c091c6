// A profile for people, for programs, and for trace viewers.
#include <fmt/format.h>

#include <utility>

#include "measure/profile.h"

namespace plumb {
namespace {

using nlohmann::ordered_json;

constexpr double kMicro = 1e3;  // nanoseconds

double share(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

double waiting(const Profile& profile) {
  double sum = 0;
  for (const StepProfile& s : profile.steps) sum += s.waiting;
  return sum;
}

std::string line(const ProfileGroup& g, const Profile& profile) {
  const std::string limit =
      g.least > 0 ? fmt::format(" {:>6.1f} % of {}", 100 * g.share_of_limit(), g.limit) : "";
  return fmt::format("{:<20} {:>5} {:>10.1f} {:>7.1f} % {:>10.1f} {:>9.2f} {:>9.1f}{}\n", g.name,
                     g.n_steps, g.wall / kMicro, 100 * share(g.wall, profile.batch_ns),
                     g.waiting / kMicro, g.gbps(), g.gmacs(), limit);
}

std::string table(const char* what, const Profile& profile, const Plan& plan, GroupBy by) {
  std::string out = fmt::format("\n{:<20} {:>5} {:>10} {:>9} {:>10} {:>9} {:>9}{}\n", what, "steps",
                                "us", "of batch", "waiting us", "GB/s", "GMAC/s",
                                profile.limits.read > 0 ? "  share of the limit" : "");
  for (const ProfileGroup& g : groups_of(profile, plan, by)) out += line(g, profile);
  return out;
}

std::string limits_text(const Profile& p) {
  if (p.limits.read <= 0) return "";
  const auto giga = [](double x) { return x / 1e9; };
  std::string out =
      fmt::format("limits    {:>10.1f} GB/s reads, GMAC/s: {:.1f} dot8, {:.1f} bf16, {:.1f} f32",
                  giga(p.limits.read), giga(p.limits.of(Arithmetic::dot8)),
                  giga(p.limits.of(Arithmetic::bf16)), giga(p.limits.of(Arithmetic::f32)));
  for (const char* separator = " (reads before and after: "; const auto& sample : p.limits_samples)
    out += fmt::format("{}{:.1f}", std::exchange(separator, ", "), giga(sample.read));
  return out + ")\n";
}

std::string busy_text(const MachineState& state) {
  const double others = state.others_share.value_or(0), steal = state.steal_share.value_or(0);
  if (others <= kBusy && steal <= kBusy) return "";
  return fmt::format(
      "warning: the machine was busy: other programs took {:.0f} % of the processors, the "
      "hypervisor {:.0f} %\n",
      100 * others, 100 * steal);
}

std::string percent_of_batch(const Profile& p, double ns) {
  return fmt::format("{:.1f} % of the batch", 100 * share(ns, p.batch_ns));
}

ordered_json to_json(const std::vector<ProfileGroup>& groups, double whole) {
  ordered_json list = ordered_json::array();
  for (const ProfileGroup& g : groups) {
    ordered_json entry{{"name", g.name},
                       {"steps", g.n_steps},
                       {"ns", g.wall},
                       {"share", share(g.wall, whole)},
                       {"waiting_ns", g.waiting},
                       {"bytes", g.bytes},
                       {"gbps", g.gbps()},
                       {"ops", g.ops},
                       {"gmacs", g.gmacs()}};
    const bool known = g.least > 0;
    entry["share_of_limit"] = known ? ordered_json(g.share_of_limit()) : nullptr;
    entry["limit"] = known ? ordered_json(g.limit) : nullptr;
    list.push_back(std::move(entry));
  }
  return list;
}

ordered_json to_json(const MachineLimits& limits) {
  return {{"gbps", limits.read / 1e9},
          {"dot8_gmacs", limits.of(Arithmetic::dot8) / 1e9},
          {"bf16_gmacs", limits.of(Arithmetic::bf16) / 1e9},
          {"f32_gmacs", limits.of(Arithmetic::f32) / 1e9}};
}

ordered_json known(const std::optional<double>& value) {
  return value ? ordered_json(*value) : nullptr;
}

}  // namespace

std::string to_text(const Profile& p, const Plan& plan, bool every_step) {
  const auto& [n_tokens, depth, n_batches, limit_threads] = p.options;
  std::string out = fmt::format(
      "{} token{} at depth {}, {} thread{}, means of the middle half of {} batches by their time\n"
      "batch     {:>10.1f} us, {:.1f} tok/s\n"
      "steps     {:>10.1f} us, {}\n"
      "unaccounted {:>8.1f} us, {} (before and behind the steps)\n"
      "waiting   {:>10.1f} us, {}: in steps, a thread on average for the others\n"
      "watching  {:>+10.1f} us, {:+.1f} % (in turn with batches that were not watched)\n",
      n_tokens, n_tokens == 1 ? "" : "s", depth, p.n_threads, p.n_threads == 1 ? "" : "s",
      n_batches, p.batch_ns / kMicro, share(static_cast<double>(n_tokens) * 1e9, p.batch_ns),
      p.steps_ns() / kMicro, percent_of_batch(p, p.steps_ns()), p.unaccounted_ns() / kMicro,
      percent_of_batch(p, p.unaccounted_ns()), waiting(p) / kMicro, percent_of_batch(p, waiting(p)),
      (p.batch_ns - p.unwatched_ns) / kMicro, 100 * p.cost());
  if (p.other_batches > 0)
    out += fmt::format("{} of {} batches ran with another number of threads and are left out\n",
                       p.other_batches, 2 * n_batches);
  out += limits_text(p) + busy_text(p.state);
  out += table("kind", p, plan, GroupBy::kind);
  out += table("path", p, plan, GroupBy::path);
  out += table("format", p, plan, GroupBy::format);
  if (every_step) out += table("step", p, plan, GroupBy::step);
  return out;
}

ordered_json to_json(const Profile& p, const Plan& plan) {
  const auto groups = [&](GroupBy by) { return to_json(groups_of(p, plan, by), p.batch_ns); };
  ordered_json samples = ordered_json::array();
  for (const MachineLimits& sample : p.limits_samples) samples.push_back(to_json(sample));
  return {{"n_tokens", p.options.n_tokens},
          {"depth", p.options.depth},
          {"batches", p.options.n_batches},
          {"threads", p.n_threads},
          {"batch_ns", p.batch_ns},
          {"steps_ns", p.steps_ns()},
          {"unaccounted_ns", p.unaccounted_ns()},
          {"waiting_ns", waiting(p)},
          {"unwatched_ns", p.unwatched_ns},
          {"cost", p.cost()},
          {"watched_batches", p.watched},
          {"unwatched_batches", p.unwatched},
          {"batches_with_other_threads", p.other_batches},
          {"limits", to_json(p.limits)},
          {"limits_samples", std::move(samples)},
          {"other_processes_share", known(p.state.others_share)},
          {"steal_share", known(p.state.steal_share)},
          {"by_kind", groups(GroupBy::kind)},
          {"by_path", groups(GroupBy::path)},
          {"by_format", groups(GroupBy::format)},
          {"steps", groups(GroupBy::step)}};
}

ordered_json to_trace(const Profile& p, const Plan& plan) {
  ordered_json events = ordered_json::array();
  const int64_t start = p.traces.empty() ? 0 : p.traces.front().at(0, 0).begin;
  for (const StepTimes& times : p.traces)
    for (int t = 0; t < times.n_threads(); ++t)
      for (size_t s = 0; s < times.n_steps(); ++s) {
        const StepTimes::Span& span = times.at(t, s);
        const Step& step = plan.steps[s];
        events.push_back({{"name", step.name},
                          {"cat", path_name(step.path)},
                          {"ph", "X"},
                          {"pid", 1},
                          {"tid", t},
                          {"ts", static_cast<double>(span.begin - start) / kMicro},
                          {"dur", static_cast<double>(span.end - span.begin) / kMicro},
                          {"args",
                           {{"kind", kind_name(step.args)},
                            {"format", formats_of(step)},
                            {"waited_us", static_cast<double>(span.waited) / kMicro}}}});
      }
  return {{"displayTimeUnit", "ns"}, {"traceEvents", std::move(events)}};
}

}  // namespace plumb
