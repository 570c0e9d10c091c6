#pragma once
// The token loop: prompt in, text out, one token at a time, with the reasons to stop and honest
// times.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "generate/sampler.h"
#include "generate/session.h"

namespace plumb {

enum class StopReason { eos, length, stop_string, interrupt };
std::string_view stop_reason_name(StopReason reason);

struct GenerateOptions {
  int64_t max_tokens = -1;  // -1: until the end or the context is full
  bool ignore_eos = false;  // end tokens are never sampled
  std::vector<std::string>
      stop;  // the text ends before the first of these, wherever token borders fall
};

struct Generation {
  std::string text;          // without the stop string
  std::vector<int32_t> ids;  // generated, without the end token
  StopReason stop = StopReason::length;
  int64_t prompt_tokens = 0;  // in the prompt
  int64_t reused_tokens = 0;  // of those, already in the cache
  double prompt_seconds = 0;  // feeding the prompt
  double generate_seconds =
      0;  // from the first sampled token to the last, sampling and text included
};

// Feeds what of the prompt is not yet in the session, then samples until a reason to stop. on_text
// gets text as soon as it is certain (never half a UTF-8 character, never the start of a stop
// string); it returns false to interrupt. The session then holds prompt and generated ids (the last
// one may be pending).
Generation generate(Session& session, Sampler& sampler, std::span<const int32_t> prompt,
                    const GenerateOptions& options,
                    const std::function<bool(std::string_view)>& on_text);

}  // namespace plumb
