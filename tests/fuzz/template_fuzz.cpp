// libFuzzer target: any bytes as a chat template, rendered in this process by the library that the
// worker runs. The engine's own guards (nesting, sizes, depth of data) are what is tested: nothing
// may panic, overflow the stack or print anything but UTF-8.

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "text/jinja/jinja.h"

namespace {

constexpr size_t kHeapBytes = size_t{768} << 20;

void heap_exceeded() {
  CHECK(false, "the engine's heap went past {} bytes", kHeapBytes);
}

std::vector<uint8_t> conversation() {
  const auto context = nlohmann::ordered_json::parse(R"({
    "messages": [
      {"role": "system", "content": "Be <brief> & kind."},
      {"role": "user", "content": [{"type": "text", "text": "Grüße, 世界"}, {"type": "image"}]},
      {"role": "assistant", "content": null, "reasoning_content": "hm",
       "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {"q": "it's", "n": [1, 2.5]}}}]},
      {"role": "tool", "content": "ok", "tool_call_id": "c1"}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {
      "type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}}}],
    "add_generation_prompt": true, "bos_token": "<s>", "eos_token": "</s>", "n": 7, "x": -2.5})");
  return nlohmann::ordered_json::to_msgpack(context);
}

size_t fixed_time(void*, const uint8_t* format, size_t format_size, uint8_t* out, size_t capacity) {
  const size_t size = std::min(format_size, capacity);
  std::copy_n(format, size, out);
  return size;
}

}  // namespace

// A namespace that holds itself is never freed: minijinja counts references. The worker ends when
// that happens.
extern "C" const char* __asan_default_options() {
  return "detect_leaks=0";
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<uint8_t> context = conversation();
  plumb_jinja_limit_memory(kHeapBytes, heap_exceeded);
  const plumb_jinja_request request{.source = data,
                                    .source_size = size,
                                    .context = context.data(),
                                    .context_size = context.size(),
                                    .strftime_now = fixed_time,
                                    .user = nullptr,
                                    .fuel = 20000,
                                    .stack_bytes = size_t{64} << 20};
  plumb_jinja_response response{};
  plumb_jinja_render(&request, &response);
  const std::string_view text(reinterpret_cast<const char*>(response.text), response.size);
  CHECK(response.status != PLUMB_JINJA_PANICKED, "{}", text);
  CHECK(plumb::is_utf8(text), "{}", plumb::quoted(text));
  plumb_jinja_free(&response);
  return 0;
}
