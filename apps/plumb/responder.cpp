#include "responder.h"

#include "base/text.h"
#include "model_folder.h"
#include "output.h"

namespace plumb {

void warn_of_fallback(const Engine& engine) {
  warn("{}: no chat template in the file, ChatML is used", engine.file().path().string());
}

Responder::Responder(const ModelOptions& model, const SamplingOptions& sampling)
    : engine_(model.path(), model.engine_options()),
      sampler_options_(sampling.sampler(engine_.file().metadata())),
      sampler_(make_sampler(engine_, sampler_options_, sampling.ignore_eos)),
      session_(engine_),
      options_{
          .max_tokens = sampling.max_tokens, .stop = sampling.stop, .feed_tokens = model.batch} {
  remember_model(path());
  const int64_t n_positions = engine_.plan().options.n_positions;
  if (n_positions > engine_.model().n_context)
    warn("-c: the model was trained for {} positions, {} may end in nonsense",
         engine_.model().n_context, n_positions);
  if (const int64_t experts = engine_.memory().mapped_experts; experts > 0)
    warn("{}: {} of experts do not fit into memory and stay in the file: slower", path().string(),
         human_bytes(experts));
  detail("model {}, backend {}, context {}, seed {}", path().string(), engine_.backend().name(),
         n_positions, sampler_options_.seed);
}

Generation Responder::respond(std::span<const int32_t> prompt, bool streamed,
                              const Interruptible& ctrl_c) {
  bool line_open = false;
  options_.stop_request = &ctrl_c.flag();
  const Generation result =
      generate(session_, sampler_, prompt, options_, [&](std::string_view text) {
        if (streamed) write_out(text);
        line_open = !text.ends_with('\n');
      });
  if (streamed && line_open && stdout_is_terminal()) write_out("\n");
  return result;
}

nlohmann::ordered_json Responder::answer_json(const Generation& g, const Stats& stats) const {
  // Scripts know three names; a stop string is an end that the user chose.
  const bool by_string = g.stop == StopReason::stop_string;
  return {{"text", g.text},
          {"ids", g.ids},
          {"prompt_tokens", g.prompt_tokens},
          {"generated_tokens", g.ids.size()},
          {"stop", stop_reason_name(by_string ? StopReason::eos : g.stop)},
          {"stop_string", by_string},
          {"seed", sampler_options_.seed},
          {"model", path().string()},
          {"backend", engine_.backend().name()},
          {"timings", timings_json(stats)},
          {"memory", to_json(stats.memory)}};
}

}  // namespace plumb
