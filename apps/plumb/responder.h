#pragma once
// A model that answers on standard output: what `run` and `chat` share.

#include <filesystem>
#include <span>

#include "generate/engine.h"
#include "generate/generate.h"
#include "generate/session.h"
#include "interrupt.h"
#include "options.h"
#include "stats.h"

namespace plumb {

// Says that the file has no chat template.
void warn_of_fallback(const Engine& engine);

class Responder {
 public:
  Responder(const ModelOptions& model, const SamplingOptions& sampling);

  Engine& engine() { return engine_; }
  Session& session() { return session_; }
  const std::filesystem::path& path() const { return engine_.file().path(); }

  // Answers, as it comes where `streamed`, until Ctrl-C at the latest.
  Generation respond(std::span<const int32_t> prompt, bool streamed, const Interruptible& ctrl_c);
  // What `--json` says of an answer.
  nlohmann::ordered_json answer_json(const Generation& generation, const Stats& stats) const;
  // The random numbers start again.
  void reset() { sampler_.reset(); }

 private:
  Engine engine_;
  SamplerOptions sampler_options_;
  Sampler sampler_;
  Session session_;
  GenerateOptions options_;
};

}  // namespace plumb
