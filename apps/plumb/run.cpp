// plumb run: answers one prompt.

#include "base/error.h"
#include "command.h"
#include "generate/chat_prompt.h"
#include "output.h"
#include "responder.h"
#include "stats.h"

namespace plumb {
namespace {

struct RunOptions {
  TextOptions prompt;
  ModelOptions model;
  SamplingOptions sampling;
  std::optional<std::string> system;
  bool raw = false, json = false, no_stats = false;
};

std::vector<int32_t> prompt_ids(const RunOptions& options, const std::string& text,
                                const Engine& engine, TemplateRenderer renderer) {
  if (options.raw) return encode_to_continue(engine.tokenizer(), text);
  ChatPrompt chat(engine.file().metadata(), engine.tokenizer(), std::move(renderer));
  if (chat.is_fallback()) warn_of_fallback(engine);
  std::vector<Message> messages;
  if (options.system) messages.push_back({"system", *options.system});
  messages.push_back({"user", text});
  return chat.encode(messages);
}

}  // namespace

int run_command(std::vector<std::string> words) {
  RunOptions options;
  Arguments arguments("run", "answers one prompt",
                      "plumb run -p 'Why is the sky blue?' -n 200 --temp 0");
  options.prompt.attach(arguments);
  arguments.text("--system,-sys,--system-prompt", options.system, "what the model should be");
  arguments.flag("--raw", options.raw, "continue the text as it stands, without a chat template");
  options.sampling.attach(arguments);
  options.model.attach(arguments);
  arguments.flag("--json", options.json, "one JSON object at the end instead of text");
  arguments.flag("--no-stats", options.no_stats,
                 "no figures at the end, and no measuring for them");
  if (!arguments.parse(words)) return 0;
  options.sampling.check();
  if (options.raw && options.system) fail("run: expected one of --raw and --system, got both");
  std::string text = options.prompt.read("run");
  // The newline that editors put at the end of a file is no part of a message.
  if (options.prompt.file && !options.raw && text.ends_with('\n')) text.pop_back();

  TemplateRenderer renderer;
  if (!options.raw) renderer.start();  // while the model is loaded
  Responder model(options.model, options.sampling);
  const auto ids = prompt_ids(options, text, model.engine(), std::move(renderer));
  const Generation g = model.respond(ids, !options.json, Interruptible());
  const Stats stats = stats_of(model.engine(), g, options.model.threads(), !options.no_stats);
  if (options.json) write_json(model.answer_json(g, stats));
  if (!options.json && !options.no_stats) {
    if (stderr_is_terminal()) write_err("\n");
    write_err(dim(to_text(stats)));
  }
  return g.stop == StopReason::interrupt ? 130 : 0;
}

}  // namespace plumb
