// plumb template: a chat template rendered exactly.

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "text/chat_template.h"

namespace plumb {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kLargest = int64_t{64} << 20;  // bytes of a file; rendering has limits of its own

struct TemplateOptions {
  ModelOptions model;
  std::optional<std::string> template_file, messages, tools;
  std::vector<std::string> variables;
  bool no_generation_prompt = false;
};

// NAME=JSON
void set_variable(const std::string& word, ordered_json& variables) {
  const size_t equals = word.find('=');
  if (equals == 0 || equals == std::string::npos)
    fail("--var: expected NAME=JSON, got {}", plumb::quoted(word));
  const std::string name = word.substr(0, equals);
  variables[name] = parse_template_json(word.substr(equals + 1), "--var " + name);
}

ordered_json read_list(const std::string& file) {
  ordered_json list = parse_template_json(read_file(file, kLargest), file);
  if (!list.is_array()) fail("{}: expected an array, got {}", file, list.type_name());
  return list;
}

std::string text_of(const Tokenizer& tokenizer, std::optional<int32_t> id) {
  return id ? std::string(tokenizer.token_text(*id)) : std::string();
}

ChatTemplate read_template(const std::string& file) {
  return {.source = read_file(file, kLargest), .origin = file};
}

// From a model its own template (as in transformers the one named tool_use where there are tools)
// and its tokens' names; a template file goes without a model.
ChatTemplate template_of(const TemplateOptions& options, TemplateInput& input) {
  if (options.template_file && options.model.model.empty())
    return read_template(*options.template_file);
  const auto file = gguf::File::open(options.model.path());
  if (file.metadata().has("tokenizer.ggml.model")) {
    const auto tokenizer = Tokenizer::load(file.metadata());
    input.bos_token = text_of(*tokenizer, tokenizer->bos());
    input.eos_token = text_of(*tokenizer, tokenizer->eos());
  }
  if (options.template_file) return read_template(*options.template_file);
  ChatTemplate found = chat_template_of(file.metadata(), options.tools ? "tool_use" : "");
  if (found.is_fallback)
    warn("{}: no chat template in the file, this is ChatML", file.path().string());
  return found;
}

}  // namespace

int template_command(std::vector<std::string> words) {
  TemplateOptions options;
  Arguments arguments("template", "a chat template rendered exactly, without a line's end added",
                      "plumb template -m model.gguf --messages messages.json");
  options.model.attach_model(arguments);
  arguments.text("--template-file", options.template_file,
                 "a Jinja template instead of the model's");
  arguments.text("--messages", options.messages,
                 "JSON file: array of messages, - is standard input");
  arguments.text("--tools", options.tools, "JSON file: array of tools");
  arguments.flag("--no-generation-prompt", options.no_generation_prompt,
                 "without the start of the assistant's turn");
  arguments.texts("--var", options.variables, "NAME=JSON, one more variable; repeatable");
  if (!arguments.parse(words)) return 0;

  TemplateInput input;
  if (!options.messages) fail("template: expected --messages FILE, got none");
  input.messages = read_list(*options.messages);
  if (options.tools) input.tools = read_list(*options.tools);
  input.add_generation_prompt = !options.no_generation_prompt;
  for (const std::string& word : options.variables) set_variable(word, input.variables);
  write_out(TemplateRenderer().render(template_of(options, input), input));
  return 0;
}

}  // namespace plumb
