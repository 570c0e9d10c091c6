#include "stats.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "measure/bandwidth.h"
#include "measure/work.h"

namespace plumb {
namespace {

using nlohmann::ordered_json;

double rate(int64_t n, double seconds) {
  return n > 0 && seconds > 0 ? static_cast<double>(n) / seconds : 0;
}

double bytes_per_decoded_token(const Plan& plan, const Generation& g) {
  const int64_t n = std::max<int64_t>(g.decoded_tokens, 1);
  const BenchTest test{.n_prompt = 0, .n_gen = n, .n_depth = g.prompt_tokens};
  return work_of(plan, test, 1).gen_bytes / static_cast<double>(n);
}

std::string rate_text(double tokens_per_second) {
  return tokens_per_second > 0 ? fmt::format("{:9.1f} tok/s", tokens_per_second) : "";
}

std::string bandwidth_text(const Stats& s) {
  if (s.gbps <= 0) return "";
  std::string out = fmt::format("   {:.1f} GB/s", s.gbps);
  if (s.limit_gbps > 0)
    return out +
           fmt::format(", {:.0f} % of the {:.1f} GB/s that {} thread{} read (measured just now)",
                       100 * s.share(), s.limit_gbps, s.limit_threads,
                       s.limit_threads == 1 ? "" : "s");
  return s.limit_threads > 0 ? out + " (too little memory free to measure the limit)" : out;
}

}  // namespace

Stats stats_of(const Engine& engine, const Generation& g, int n_threads, bool measure_limit) {
  Stats s{.prompt_tokens = g.prompt_tokens,
          .reused_tokens = g.reused_tokens,
          .generated_tokens = static_cast<int64_t>(g.ids.size()),
          .prompt_seconds = g.prompt_seconds,
          .generate_seconds = g.generate_seconds,
          .prompt_rate = rate(g.fed_tokens, g.prompt_seconds),
          .generate_rate = rate(g.decoded_tokens, g.generate_seconds),
          .bytes_per_token = bytes_per_decoded_token(engine.plan(), g),
          .n_threads = n_threads,
          .limit_threads = 0,
          .memory = engine.memory()};
  s.gbps = s.generate_rate * s.bytes_per_token / 1e9;
  if (!measure_limit || s.gbps <= 0) return s;
  s.limit_threads = n_threads;
  s.limit_gbps = measure_read_bandwidth(s.limit_threads) / 1e9;
  return s;
}

std::string to_text(const Stats& s) {
  const Memory& m = s.memory;
  const std::string reused =
      s.reused_tokens > 0 ? fmt::format("   ({} reused)", s.reused_tokens) : "";
  return fmt::format(
      "prompt    {:6} tokens {}{}\n"
      "generated {:6} tokens {}{}\n"
      "memory    {}: weights {}, cache {}{}, scratch {}{}\n",
      s.prompt_tokens, rate_text(s.prompt_rate), reused, s.generated_tokens,
      rate_text(s.generate_rate), bandwidth_text(s), human_bytes(m.total()), human_bytes(m.weights),
      human_bytes(m.kv), m.state > 0 ? ", state " + human_bytes(m.state) : "",
      human_bytes(m.scratch), mapped_text(m.mapped, m.mapped_experts));
}

ordered_json timings_json(const Stats& s) {
  return {{"prompt_seconds", s.prompt_seconds},
          {"prompt_tokens_per_second", s.prompt_rate},
          {"generate_seconds", s.generate_seconds},
          {"generated_tokens_per_second", s.generate_rate},
          {"bytes_per_token", s.bytes_per_token},
          {"gbps", s.gbps},
          {"limit_gbps", s.limit_gbps},
          {"share_of_limit", s.share()},
          {"threads", s.n_threads},
          {"limit_threads", s.limit_threads}};
}

std::string mapped_text(int64_t bytes, int64_t experts) {
  if (bytes == 0) return "";
  return fmt::format(
      ", and {} stay in the file{}", human_bytes(bytes),
      experts > 0 ? fmt::format(" ({} of experts that do not fit)", human_bytes(experts)) : "");
}

ordered_json to_json(const Memory& m) {
  return {{"weights", m.weights},
          {"kv", m.kv},
          {"state", m.state},
          {"scratch", m.scratch},
          {"total", m.total()},
          {"mapped", m.mapped},
          {"mapped_experts", m.mapped_experts}};
}

}  // namespace plumb
