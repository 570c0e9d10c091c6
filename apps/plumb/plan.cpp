// plumb plan: the steps that will run, with their bytes and operations.

#include "plan/plan.h"

#include "command.h"
#include "options.h"
#include "output.h"

namespace plumb {

int plan_command(std::vector<std::string> words) {
  ModelOptions model;
  int64_t n_tokens = 1, depth = 0;
  bool json = false;
  Arguments arguments("plan", "the steps with shapes, bytes and operations, and their totals",
                      "plumb plan --depth 1000");
  arguments.integer("-n-tokens,--n-tokens", n_tokens, 1, INT32_MAX, "of one batch (default: 1)");
  arguments.integer("--depth", depth, 0, INT32_MAX, "positions cached before it (default: 0)");
  arguments.flag("--json", json, "the same as JSON");
  model.attach_model(arguments);
  model.attach_cache(arguments);
  model.attach_checkpoints(arguments);
  model.attach_backend(arguments);
  if (!arguments.parse(words)) return 0;

  const auto file = gguf::File::open(model.path());
  const ModelDesc desc = load_model_desc(file);
  const EngineOptions options = model.engine_options();
  make_backend(options.backend);  // Error: an unknown one
  const Plan plan = compile(desc, with_defaults(options.plan, desc));
  if (json)
    write_json(to_json(plan, n_tokens, depth));
  else
    write_out(to_text(plan, n_tokens, depth));
  return 0;
}

}  // namespace plumb
