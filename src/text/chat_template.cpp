#include "text/chat_template.h"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "text/template_context.h"
#include "text/template_protocol.h"
#include "text/worker_process.h"

namespace plumb {
namespace {

using Json = nlohmann::ordered_json;
using Outcome = WorkerProcess::Outcome;

// What the worker's heap may not use of its memory: the stack (64 MiB), the program, the request.
constexpr int64_t kOutsideHeapBytes = int64_t{128} << 20;

// The format most chat models without a template of their own were tuned on.
constexpr std::string_view kChatMl =
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message['role'] + '\\n' }}"
    "{%- if message['content'] is string %}{{- message['content'] }}"
    "{%- else %}{%- for part in message['content'] or [] %}{{- part['text'] }}{%- endfor %}"
    "{%- endif %}{{- '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";

TemplateRequest request_for(const TemplateLimits& limits, const std::optional<std::tm>& now,
                            std::string_view source, const std::vector<uint8_t>& context) {
  TemplateRequest request;
  if (now) {
    const std::tm& t = *now;
    const int fields[] = {t.tm_sec, t.tm_min,  t.tm_hour, t.tm_mday,
                          t.tm_mon, t.tm_year, t.tm_wday, t.tm_yday};
    std::copy(std::begin(fields), std::end(fields), request.now);
    request.has_now = 1;
  }
  request.source_bytes = static_cast<int64_t>(source.size());
  request.context_bytes = static_cast<int64_t>(context.size());
  request.heap_bytes = std::max(limits.memory_bytes - kOutsideHeapBytes, limits.memory_bytes / 2);
  request.address_space_bytes = limits.memory_bytes;
  request.cpu_seconds = std::chrono::ceil<std::chrono::seconds>(limits.time).count() + 1;
  request.input_bytes = limits.input_bytes;
  return request;
}

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::span<const uint8_t> bytes_of(const TemplateRequest& request) {
  return {reinterpret_cast<const uint8_t*>(&request), sizeof request};
}

std::span<uint8_t> bytes_of(TemplateResponse& response) {
  return {reinterpret_cast<uint8_t*>(&response), sizeof response};
}

// A template's message on one line, whatever it put into it, cut where nobody reads on.
std::string printable(std::string_view message) {
  constexpr size_t kMostBytes = 500;
  if (message.size() > kMostBytes) return printable(message.substr(0, kMostBytes)) + "...";
  std::string result;
  for (const char c : message) {
    if (c == '\n') {
      result += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace

struct TemplateRenderer::Answer {
  TemplateStatus status;
  int64_t line;
  std::string text;
};

struct TemplateRenderer::Worker {
  WorkerProcess process;

  explicit Worker(const std::filesystem::path& program)
      : process({(program.empty() ? this_program() : program).string(), "template-worker"}) {}

  // The answer, or Error saying how the worker failed; then it has ended.
  std::string exchange(std::span<const std::span<const uint8_t>> parts,
                       const TemplateLimits& limits, WorkerProcess::Deadline deadline,
                       TemplateResponse& response) {
    for (const auto part : parts) {
      if (const Outcome outcome = process.send(part, deadline); outcome != Outcome::done)
        explain(outcome, limits);
    }
    if (const Outcome outcome = process.receive(bytes_of(response), deadline);
        outcome != Outcome::done) {
      explain(outcome, limits);
    }
    if (response.magic != kTemplateMagic || response.text_bytes < 0) {
      process.finish();
      fail_machine(
          "[template] the worker answered in a language of its own; is it another program?");
    }
    if (response.text_bytes > limits.output_bytes) {
      process.finish();
      fail("[template] the output: expected at most {}, got {}", human_bytes(limits.output_bytes),
           human_bytes(response.text_bytes));
    }
    std::string text(static_cast<size_t>(response.text_bytes), '\0');
    const std::span<uint8_t> room{reinterpret_cast<uint8_t*>(text.data()), text.size()};
    if (const Outcome outcome = process.receive(room, deadline); outcome != Outcome::done)
      explain(outcome, limits);
    return text;
  }

 private:
  [[noreturn]] void explain(Outcome outcome, const TemplateLimits& limits) {
    const int status = process.finish();
    const bool out_of_time = WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU;
    if (outcome == Outcome::timed_out || out_of_time) {
      fail("[template] rendering: expected at most {} ms, not done by then", limits.time.count());
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == kTemplateOutOfMemory) {
      fail("[template] rendering: expected at most {}, needs more memory",
           human_bytes(limits.memory_bytes));
    }
    if (WIFSIGNALED(status))
      fail("[template] rendering crashed (stack overflow or memory), signal {}", WTERMSIG(status));
    fail_machine("[template] the worker ended with exit code {} instead of an answer",
                 WEXITSTATUS(status));
  }
};

[[noreturn]] void TemplateRenderer::fail_with(const Answer& answer) {
  if (answer.line > 0) fail("[template] line {}: {}", answer.line, printable(answer.text));
  fail("[template] {}", printable(answer.text));
}

TemplateRenderer::TemplateRenderer(std::filesystem::path program, TemplateLimits limits)
    : program_(std::move(program)), limits_(limits) {}
TemplateRenderer::~TemplateRenderer() = default;
TemplateRenderer::TemplateRenderer(TemplateRenderer&&) noexcept = default;
TemplateRenderer& TemplateRenderer::operator=(TemplateRenderer&&) noexcept = default;

void TemplateRenderer::start() {
  if (!worker_ || !worker_->process.is_idle()) worker_ = std::make_unique<Worker>(program_);
}

std::string TemplateRenderer::render(std::string_view source, const TemplateInput& input) {
  const auto deadline = std::chrono::steady_clock::now() + limits_.time;
  const Json context = template_context(input);
  Answer answer = ask(source, context, input.now, deadline);
  if (answer.status != TemplateStatus::rendered) {
    // A template written for tools may iterate over them without a look whether there are any.
    if (const auto rest = without_absent_lists(context)) {
      Answer second = ask(source, *rest, input.now, deadline);
      if (second.status == TemplateStatus::rendered) return std::move(second.text);
    }
    fail_with(answer);
  }
  return std::move(answer.text);
}

TemplateRenderer::Answer TemplateRenderer::ask(std::string_view source, const Json& context,
                                               const std::optional<std::tm>& now,
                                               Deadline deadline) {
  const std::vector<uint8_t> variables = Json::to_msgpack(context);
  const TemplateRequest request = request_for(limits_, now, source, variables);
  if (request.source_bytes + request.context_bytes > limits_.input_bytes) {
    fail("[template] template and messages: expected at most {}, got {}",
         human_bytes(limits_.input_bytes),
         human_bytes(request.source_bytes + request.context_bytes));
  }
  start();
  const std::span<const uint8_t> parts[] = {bytes_of(request), bytes_of(source), variables};
  TemplateResponse response;
  std::string text = worker_->exchange(parts, limits_, deadline, response);
  if (response.is_last) worker_.reset();
  return {response.status, response.line, std::move(text)};
}

ChatTemplate chat_template_of(const gguf::Metadata& metadata, std::string_view variant) {
  const std::string base = "tokenizer.chat_template";
  if (!variant.empty() && metadata.has(base + "." + std::string(variant))) {
    return {.source = std::string(metadata.string(base + "." + std::string(variant)))};
  }
  if (metadata.has(base)) return {.source = std::string(metadata.string(base))};
  return {.source = std::string(kChatMl), .is_fallback = true};
}

}  // namespace plumb
