#pragma once
// Chat templates: Jinja source from an untrusted file, rendered by minijinja in a worker process under limits of memory and time,
// so that the worst template costs one clear Error and nothing else. Set up as Hugging Face's transformers sets up jinja2.

#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "gguf/gguf.h"

namespace plumb {

struct TemplateLimits {
  std::chrono::milliseconds time{2000};
  int64_t memory_bytes = int64_t{512} << 20;
};

// What a template sees. Everything is JSON as chat APIs spell it.
struct TemplateInput {
  nlohmann::ordered_json messages = nlohmann::ordered_json::array();
  nlohmann::ordered_json tools;  // null: undefined in the template
  bool add_generation_prompt = true;
  std::string bos_token, eos_token;
  nlohmann::ordered_json variables = nlohmann::ordered_json::object();  // more globals, e.g. enable_thinking; they win
};

// A worker process that renders, started at the first use and again after it died. Not shared between threads.
class TemplateRenderer {
 public:
  // `program` is plumb itself: it runs the worker as `program template-worker` (see run_template_worker).
  explicit TemplateRenderer(std::filesystem::path program = {}, TemplateLimits limits = {});  // {}: /proc/self/exe
  ~TemplateRenderer();
  TemplateRenderer(TemplateRenderer&&) noexcept;
  TemplateRenderer& operator=(TemplateRenderer&&) noexcept;

  // The rendered text, exactly. Error: the template's own (raise_exception, syntax) with line, or the limit that it broke.
  std::string render(std::string_view source, const TemplateInput& input);

 private:
  struct Worker;
  std::filesystem::path program_;
  TemplateLimits limits_;
  std::unique_ptr<Worker> worker_;
};

// The other end of the pipe: sets its own limits, answers requests from standard input until it closes. Returns an exit code.
int run_template_worker();

// The template of a model file: tokenizer.chat_template, or ChatML where it has none (then is_fallback).
struct ChatTemplate {
  std::string source;
  bool is_fallback = false;
};
ChatTemplate chat_template_of(const gguf::Metadata& metadata);

}  // namespace plumb
