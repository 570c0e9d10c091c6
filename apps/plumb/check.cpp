// plumb check: a backend against the reference, step by step.

#include "measure/check.h"

#include "base/error.h"
#include "command.h"
#include "ids.h"
#include "options.h"
#include "output.h"

namespace plumb {
namespace {

using nlohmann::ordered_json;

struct CheckOptions {
  TextOptions text;
  ModelOptions model;
  std::optional<std::string> ids;
  std::optional<double> tolerance;  // none: by what each step may round
  bool json = false;
};

// Without ids or a text: some from all over the vocabulary.
std::vector<int32_t> input_ids(const CheckOptions& options, const gguf::File& file,
                               int64_t n_vocab) {
  if (options.ids && options.text.given())
    fail("check: expected one of --ids, -p and -f, got several");
  if (options.ids) return parse_ids("--ids", *options.ids, n_vocab);
  if (options.text.given())
    return Tokenizer::load(file.metadata())->encode(options.text.read("check"));
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < kCheckTokens; ++i)
    ids.push_back(static_cast<int32_t>(i * n_vocab / kCheckTokens));
  return ids;
}

// A difference beyond all numbers (one side is not finite) has no place in JSON but as null.
ordered_json to_json(const std::optional<Difference>& d) {
  if (!d) return nullptr;
  return {{"step", d->step},
          {"name", d->name},
          {"max_abs", d->max_abs},
          {"max_rel", d->max_rel},
          {"rms_rel", d->rms_rel}};
}

std::string to_text(const CheckResult& result, const std::string& backend,
                    std::optional<double> tolerance) {
  std::string out =
      fmt::format("{} steps checked, {} against reference\n", result.steps_checked, backend);
  if (result.largest)
    out += fmt::format("largest difference: step {} ({}), {:.3g} relative\n", result.largest->step,
                       result.largest->name, result.largest->max_rel);
  if (!result.first)
    return out + (tolerance ? fmt::format("no step differs by more than {}\n", *tolerance)
                            : "no step differs by more than its rounding\n");
  return out + fmt::format(
                   "first that differs: step {} ({}), by {:.3g}, relative {:.3g}, in root mean "
                   "square {:.3g}\n",
                   result.first->step, result.first->name, result.first->max_abs,
                   result.first->max_rel, result.first->rms_rel);
}

}  // namespace

int check_command(std::vector<std::string> words) {
  CheckOptions options;
  Arguments arguments("check",
                      "runs a backend against the reference and names the first step that differs",
                      "plumb check --backend cpu --ids 1,2,3");
  arguments.text("--ids", options.ids, "token ids; default: a few from all over the vocabulary");
  options.text.attach(arguments);
  arguments.add("--tolerance", "X",
                "largest relative difference of a step (default: by what the step may round)",
                [&](const std::string& word) {
                  options.tolerance = Arguments::parse_number("--tolerance", word);
                });
  options.model.attach_model(arguments);
  options.model.attach_cache(arguments);
  options.model.attach_backend(arguments);
  options.model.attach_threads(arguments);
  arguments.flag("--json", options.json, "the same as JSON");
  if (!arguments.parse(words)) return 0;
  if (options.tolerance && *options.tolerance < 0)
    fail("--tolerance: expected 0 or more, got {}", *options.tolerance);

  const auto file = gguf::File::open(options.model.path());
  const ModelDesc model = load_model_desc(file);
  const auto backend = make_backend(options.model.engine.backend);
  const std::vector<int32_t> ids = input_ids(options, file, model.n_vocab);
  if (ids.empty()) fail("check: expected at least one token, got none");
  PlanOptions plan_options = options.model.engine.plan;
  plan_options.max_batch = plan_options.n_positions =
      std::max(static_cast<int64_t>(ids.size()), kAttentionTokens);
  const Plan plan = compile(model, plan_options);

  const auto oracle = make_backend({.name = "reference"});
  require_memory(file.path(), oracle->memory(plan) + backend->memory(plan),
                 plan.options.n_positions);
  const auto reference = oracle->compile(plan);
  const auto checked = backend->compile(plan);
  const CheckResult result = within(file.path().string(), [&] {
    return check(plan, *reference, *checked, ids, options.tolerance);
  });
  if (options.json)
    write_json({{"steps_checked", result.steps_checked},
                {"first_difference", to_json(result.first)},
                {"largest_difference", to_json(result.largest)},
                {"backend", backend->name()},
                {"tokens", ids.size()},
                {"tolerance",
                 options.tolerance ? ordered_json(*options.tolerance) : ordered_json(nullptr)}});
  else
    write_out(to_text(result, backend->name(), options.tolerance));
  return result.first ? 1 : 0;
}

}  // namespace plumb
