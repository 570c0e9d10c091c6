// plumb profile: where the time of a batch goes, step by step.

#include "measure/profile.h"

#include "base/file.h"
#include "command.h"
#include "measuring.h"
#include "options.h"
#include "output.h"

namespace plumb {
namespace {

struct ProfileCommand {
  ModelOptions model;
  int64_t prompt = 0, batches = 64, depth = 0;
  std::optional<std::string> trace;
  bool every_step = false, json = false;
};

int run(const ProfileCommand& options) {
  const ProfileOptions wanted{.n_tokens = options.prompt > 0 ? options.prompt : 1,
                              .depth = options.depth,
                              .n_batches = options.batches,
                              .limit_threads = options.model.threads()};
  std::optional<OutputFile> trace;
  if (options.trace) trace.emplace(*options.trace);
  Engine engine(options.model.path(), options.model.engine_options());
  const Profile result = profile(engine, wanted);
  if (trace) {
    trace->write(to_trace(result, engine.plan()).dump());
    trace->commit();
  }
  if (options.json) {
    nlohmann::ordered_json json = to_json(result, engine.plan());
    json["model"] = engine.file().path().string();
    json["backend"] = engine.backend().name();
    write_json(json);
  } else {
    write_out(to_text(result, engine.plan(), options.every_step));
  }
  return 0;
}

}  // namespace

int profile_command(std::vector<std::string> words) {
  ProfileCommand options;
  Measuring measuring("profile", words);
  Arguments arguments("profile",
                      "where the time goes: every step's time, bytes and share of the limit, by "
                      "kind, path and format",
                      "plumb profile -d 1024 --trace trace.json");
  arguments.integer("-p,--n-prompt", options.prompt, 1, 65536,
                    "batches of N prompt tokens, at most -ub (default: of one, as in generating)");
  arguments.integer("-d,--n-depth", options.depth, 0, INT32_MAX,
                    "positions cached before each batch (default: 0)");
  arguments.integer("-r,--batches", options.batches, 1, 1'000'000,
                    "batches that are watched, with as many that are not (default: 64)");
  arguments.flag("--steps", options.every_step, "every step too");
  arguments.text("--trace", options.trace,
                 "file for the first batches, step by step and thread by thread, as Perfetto and "
                 "chrome://tracing open it");
  arguments.flag("--json", options.json, "the same as JSON, every step included");
  options.model.attach(arguments);
  measuring.attach(arguments);
  if (!arguments.parse(words)) return 0;
  measuring.start();
  return run(options);
}

}  // namespace plumb
