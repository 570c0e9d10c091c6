#pragma once
// What a generation cost, beside the limit of the machine: the last lines of `run`, and its JSON.

#include <nlohmann/json.hpp>
#include <string>

#include "generate/engine.h"
#include "generate/generate.h"

namespace plumb {

struct Stats {
  int64_t prompt_tokens, reused_tokens, generated_tokens;
  double prompt_seconds, generate_seconds;
  double prompt_rate;      // tokens per second, of those that were computed; 0 where none were
  double generate_rate;    // decoded tokens per second; 0 where none were
  double bytes_per_token;  // weights, states and the cache as deep as it is, by the plan
  double gbps;             // of reading them, 10^9 bytes
  double limit_gbps;       // read bandwidth measured just now; 0: not measured
  int n_threads;
  int limit_threads;  // that measured it: n_threads, or as many as there are processors; 0: none
  Memory memory;

  double share() const { return limit_gbps > 0 ? gbps / limit_gbps : 0; }
};

// measure_limit: the read bandwidth too, where tokens were decoded, which takes about 0.1 s.
Stats stats_of(const Engine& engine, const Generation& generation, int n_threads,
               bool measure_limit = true);

std::string to_text(const Stats& stats);                  // lines
nlohmann::ordered_json timings_json(const Stats& stats);  // times, rates, bandwidths
nlohmann::ordered_json to_json(const Memory& memory);
// ", and 1.2 GiB stay in the file" for weights that do
std::string mapped_text(int64_t bytes, int64_t experts = 0);

}  // namespace plumb
