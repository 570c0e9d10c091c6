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

// Throws what the template raised.
[[noreturn]] void fail_at(std::string_view where, int64_t line, std::string_view message) {
  if (line > 0) fail("[template] {}line {}: {}", where, line, printable(message));
  fail("[template] {}{}", where, printable(message));
}

}  // namespace

// One render: what bounds it, and how its errors begin.
struct TemplateRenderer::Job {
  const TemplateLimits& limits;
  Deadline deadline;
  std::string where;  // "FILE: ", or nothing
};

struct TemplateRenderer::Worker {
  WorkerProcess process;

  explicit Worker(const std::filesystem::path& program)
      : process({(program.empty() ? this_program() : program).string(), "template-worker"}) {}

  // The answer, or Error saying how the worker failed; then it has ended.
  std::string exchange(std::span<const std::span<const uint8_t>> parts, const Job& job,
                       TemplateResponse& response) {
    for (const auto part : parts) {
      if (const Outcome outcome = process.send(part, job.deadline); outcome != Outcome::done)
        explain(outcome, job);
    }
    if (const Outcome outcome = process.receive(bytes_of(response), job.deadline);
        outcome != Outcome::done) {
      explain(outcome, job);
    }
    if (response.magic != kTemplateMagic || response.text_bytes < 0) {
      process.finish();
      fail_machine(
          "[template] the worker answered in a language of its own; is it another program?");
    }
    if (response.text_bytes > job.limits.output_bytes) {
      process.finish();
      fail("[template] {}the rendered text: expected at most {}, got {}", job.where,
           human_bytes(job.limits.output_bytes), human_bytes(response.text_bytes));
    }
    std::string text(static_cast<size_t>(response.text_bytes), '\0');
    const std::span<uint8_t> room{reinterpret_cast<uint8_t*>(text.data()), text.size()};
    if (const Outcome outcome = process.receive(room, job.deadline); outcome != Outcome::done)
      explain(outcome, job);
    return text;
  }

 private:
  [[noreturn]] void explain(Outcome outcome, const Job& job) {
    const TemplateLimits& limits = job.limits;
    const int status = process.finish();
    const bool out_of_time = WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU;
    if (outcome == Outcome::timed_out || out_of_time) {
      fail("[template] {}rendering: expected at most {} ms, not done by then", job.where,
           limits.time.count());
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == kTemplateOutOfMemory) {
      fail("[template] {}rendering: expected at most {}, needs more memory", job.where,
           human_bytes(limits.memory_bytes));
    }
    if (WIFSIGNALED(status)) {
      fail("[template] {}rendering crashed (stack overflow or memory), signal {}", job.where,
           WTERMSIG(status));
    }
    fail_machine("[template] the worker ended with exit code {} instead of an answer",
                 WEXITSTATUS(status));
  }
};

TemplateRenderer::TemplateRenderer(std::filesystem::path program, TemplateLimits limits)
    : program_(std::move(program)), limits_(limits) {}
TemplateRenderer::~TemplateRenderer() = default;
TemplateRenderer::TemplateRenderer(TemplateRenderer&&) noexcept = default;
TemplateRenderer& TemplateRenderer::operator=(TemplateRenderer&&) noexcept = default;

void TemplateRenderer::start() {
  if (!worker_ || !worker_->process.is_idle()) worker_ = std::make_unique<Worker>(program_);
}

std::string TemplateRenderer::render(std::string_view source, const TemplateInput& input,
                                     std::string_view origin) {
  const Job job{limits_, std::chrono::steady_clock::now() + limits_.time,
                origin.empty() ? "" : std::string(origin) + ": "};
  const std::vector<uint8_t> variables = Json::to_msgpack(template_context(input));
  const TemplateRequest request = request_for(limits_, input.now, source, variables);
  if (request.source_bytes + request.context_bytes > limits_.input_bytes) {
    fail("[template] {}template and messages: expected at most {}, got {}", job.where,
         human_bytes(limits_.input_bytes),
         human_bytes(request.source_bytes + request.context_bytes));
  }
  start();
  const std::span<const uint8_t> parts[] = {bytes_of(request), bytes_of(source), variables};
  TemplateResponse response;
  std::string text = worker_->exchange(parts, job, response);
  if (response.is_last) worker_.reset();
  if (response.status != TemplateStatus::rendered) fail_at(job.where, response.line, text);
  return text;
}

ChatTemplate chat_template_of(const gguf::Metadata& metadata, std::string_view variant) {
  const auto longest = static_cast<size_t>(TemplateLimits().input_bytes);
  const std::string base = "tokenizer.chat_template";
  std::vector<std::string> keys{base};
  if (!variant.empty()) keys.insert(keys.begin(), base + "." + std::string(variant));
  for (const std::string& key : keys) {
    const std::string_view source = metadata.string_or(key, "", longest);
    // Blank: whoever wrote the file had none.
    if (source.find_first_not_of(" \t\r\n") != std::string_view::npos)
      return {.source = std::string(source), .origin = metadata.file_name()};
  }
  return {.source = std::string(kChatMl), .origin = metadata.file_name(), .is_fallback = true};
}

}  // namespace plumb
