#pragma once
// The token loop: prompt in, text out, one token at a time, with the reasons to stop and honest
// times.

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "generate/sampler.h"
#include "generate/session.h"

namespace plumb {

enum class StopReason { eos, length, stop_string, interrupt };
std::string_view stop_reason_name(StopReason reason);  // "eos", "length", "stop_string", ...

struct GenerateOptions {
  int64_t max_tokens = -1;        // -1: until the end or the context is full
  std::vector<std::string> stop;  // the text ends before the first of these (see StopStrings)
  int64_t feed_tokens = 2048;     // of the prompt, handed to the session at a time
  // When it becomes true (a signal handler, another thread), the generation ends with what there
  // is, in the middle of a batch too.
  const std::atomic<bool>* stop_request = nullptr;
};

struct Generation {
  std::string text;          // without the stop string
  std::vector<int32_t> ids;  // sampled, without the end token
  StopReason stop = StopReason::length;
  int64_t prompt_tokens = 0;    // in the prompt
  int64_t reused_tokens = 0;    // of those, already in the cache
  int64_t fed_tokens = 0;       // of those, computed now: the rest, unless interrupted
  int64_t decoded_tokens = 0;   // sampled tokens that were fed again, one at a time
  double prompt_seconds = 0;    // feeding what was not in the cache
  double generate_seconds = 0;  // the decoded tokens, with sampling, text and its output
};

// A sampler for a model: its vocabulary and context, its suppressed tokens forbidden, and its end
// tokens too where they are to be ignored.
Sampler make_sampler(const Engine& engine, SamplerOptions options, bool ignore_eos = false);

// Feeds what of the prompt is not yet in the session, then samples until a reason to stop. on_text
// gets text as soon as it is certain: never half a UTF-8 character, never the start of a stop
// string. The session then holds prompt and generated ids (the last one may be pending), or as much
// of the prompt as was read. Error: an empty prompt, one that the context cannot hold, logits that
// are all no numbers.
Generation generate(Session& session, Sampler& sampler, std::span<const int32_t> prompt,
                    const GenerateOptions& options,
                    const std::function<void(std::string_view)>& on_text);

}  // namespace plumb
