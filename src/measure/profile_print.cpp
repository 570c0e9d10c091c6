// A profile for people, for programs, and for trace viewers.
#include <fmt/format.h>

#include "measure/profile.h"

namespace plumb {
namespace {

using nlohmann::ordered_json;

constexpr double kMicro = 1e3;  // nanoseconds

double share(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

std::string line(const ProfileGroup& g, double whole, double limit_gbps) {
  const std::string of_limit =
      limit_gbps > 0 ? fmt::format("{:6.1f} %", 100 * g.gbps() / limit_gbps) : "";
  return fmt::format("{:<20} {:>5} {:>10.1f} {:>7.1f} % {:>10.1f} {:>9.2f} {} {:>9.1f}\n", g.name,
                     g.n_steps, g.wall / kMicro, 100 * share(g.wall, whole), g.waiting / kMicro,
                     g.gbps(), of_limit, g.gops());
}

std::string table(const char* what, const Profile& profile, const Plan& plan, GroupBy by,
                  double limit_gbps) {
  std::string out =
      fmt::format("\n{:<20} {:>5} {:>10} {:>9} {:>10} {:>9} {} {:>9}\n", what, "steps", "us",
                  "of batch", "waiting us", "GB/s", limit_gbps > 0 ? "of limit" : "", "Gop/s");
  for (const ProfileGroup& g : groups_of(profile, plan, by))
    out += line(g, profile.batch_ns, limit_gbps);
  return out;
}

ordered_json to_json(const std::vector<ProfileGroup>& groups, double whole, double limit_gbps) {
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
                       {"gops", g.gops()}};
    if (limit_gbps > 0) entry["share_of_limit"] = g.gbps() / limit_gbps;
    list.push_back(std::move(entry));
  }
  return list;
}

double waiting(const Profile& profile) {
  double sum = 0;
  for (const StepProfile& s : profile.steps) sum += s.waiting;
  return sum;
}

}  // namespace

std::string to_text(const Profile& p, const Plan& plan, double limit_gbps, bool every_step) {
  const auto& [n_tokens, depth, n_batches] = p.options;
  std::string out = fmt::format(
      "{} token{} at depth {}, {} thread{}, medians of {} batches\n"
      "batch     {:>10.1f} us, {:.1f} tok/s\n"
      "steps     {:>10.1f} us, {:.1f} % of the batch\n"
      "waiting   {:>10.1f} us of them, a thread on average for the others\n"
      "watching  {:>+10.1f} us, {:+.1f} % (in turn with batches that were not watched)\n",
      n_tokens, n_tokens == 1 ? "" : "s", depth, p.n_threads, p.n_threads == 1 ? "" : "s",
      n_batches, p.batch_ns / kMicro, share(static_cast<double>(n_tokens) * 1e9, p.batch_ns),
      p.steps_ns() / kMicro, 100 * share(p.steps_ns(), p.batch_ns), waiting(p) / kMicro,
      (p.batch_ns - p.unwatched_ns) / kMicro, 100 * p.cost());
  out += table("kind", p, plan, GroupBy::kind, limit_gbps);
  out += table("path", p, plan, GroupBy::path, limit_gbps);
  out += table("format", p, plan, GroupBy::format, limit_gbps);
  if (every_step) out += table("step", p, plan, GroupBy::step, limit_gbps);
  return out;
}

ordered_json to_json(const Profile& p, const Plan& plan, double limit_gbps) {
  const auto groups = [&](GroupBy by) {
    return to_json(groups_of(p, plan, by), p.batch_ns, limit_gbps);
  };
  return {{"n_tokens", p.options.n_tokens},
          {"depth", p.options.depth},
          {"batches", p.options.n_batches},
          {"threads", p.n_threads},
          {"batch_ns", p.batch_ns},
          {"steps_ns", p.steps_ns()},
          {"waiting_ns", waiting(p)},
          {"unwatched_ns", p.unwatched_ns},
          {"cost", p.cost()},
          {"limit_gbps", limit_gbps},
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
