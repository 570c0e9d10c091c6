#pragma once
// Chat templates: Jinja source from an untrusted file, rendered by minijinja in a worker process
// under limits of memory and time, so that the worst template costs one clear Error and nothing
// else. Set up as Hugging Face's transformers sets up jinja2; see docs/templates.md.

#include <chrono>
#include <ctime>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "gguf/gguf.h"

namespace plumb {

struct TemplateLimits {
  std::chrono::milliseconds time{1500};       // wall clock, the start of the worker included
  int64_t memory_bytes = int64_t{512} << 20;  // of the whole worker: heap, stack and program
  int64_t input_bytes = int64_t{32} << 20;    // template and variables together
  int64_t output_bytes = int64_t{16} << 20;   // millions of tokens
};

// What a template sees. Everything is JSON as chat APIs spell it.
struct TemplateInput {
  nlohmann::ordered_json messages = nlohmann::ordered_json::array();
  nlohmann::ordered_json tools;  // null: None in the template, as in transformers
  bool add_generation_prompt = true;
  std::string bos_token, eos_token;
  // More globals, e.g. enable_thinking; they win over the ones above.
  nlohmann::ordered_json variables = nlohmann::ordered_json::object();
  std::optional<std::tm> now;  // what strftime_now tells; default: the local time
};

// JSON from outside, for a TemplateInput. Error (naming `what`) when it is malformed or nested
// deeper than templates can take.
nlohmann::ordered_json parse_template_json(std::string_view text, std::string_view what);

// A template, and the file it came from for messages.
struct ChatTemplate {
  std::string source;
  std::string origin;
  bool is_fallback = false;
};

// The template of a model file: the variant tokenizer.chat_template.NAME when NAME is given and the
// file has it, else tokenizer.chat_template; ChatML where that is absent or blank (then
// is_fallback).
ChatTemplate chat_template_of(const gguf::Metadata& metadata, std::string_view variant = {});

// A worker process that renders, started at the first use and again after it died. Not shared
// between threads.
class TemplateRenderer {
 public:
  // `program` is plumb itself: it runs the worker as `program template-worker` (see
  // run_template_worker).
  explicit TemplateRenderer(std::filesystem::path program = {},
                            TemplateLimits limits = {});  // {}: this program
  ~TemplateRenderer();
  TemplateRenderer(TemplateRenderer&&) noexcept;
  TemplateRenderer& operator=(TemplateRenderer&&) noexcept;

  // The rendered text, exactly. Error: the template's own (raise_exception, syntax) with line, or
  // the limit that it broke; it names `origin`, the file that the template came from, where given.
  std::string render(std::string_view source, const TemplateInput& input,
                     std::string_view origin = {});
  std::string render(const ChatTemplate& chat_template, const TemplateInput& input) {
    return render(chat_template.source, input, chat_template.origin);
  }

  // Starts the worker now, so that the first render finds it ready.
  void start();

 private:
  struct Worker;
  struct Job;
  using Deadline = std::chrono::steady_clock::time_point;
  std::filesystem::path program_;
  TemplateLimits limits_;
  std::unique_ptr<Worker> worker_;
};

// The other end of the pipe: sets its own limits, answers requests from standard input until it
// closes. Returns an exit code.
int run_template_worker();

}  // namespace plumb
