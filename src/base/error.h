#pragma once
// The two ways plumb fails. Bad input (a file, a request, an option) throws Error with a message
// that says where, what was expected and what arrived. A broken invariant of plumb itself fails a
// CHECK, which prints its values and aborts; nothing read from outside may ever reach one.

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace plumb {

enum class ErrorCode {
  bad_input = 2,     // a file, request or option is wrong: exit code 2, HTTP 4xx
  machine = 1,       // the machine failed us (out of memory, disk full, no permission): exit code 1
  interrupted = 130  // the user stopped it: exit code 130
};

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

// fail("[gguf] {}: tensor {}: expected {} columns, got {}", file, name, 4096, 4000)
template <typename... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorCode::bad_input, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
[[noreturn]] void fail_machine(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorCode::machine, fmt::format(format, std::forward<Args>(args)...));
}

// Runs f; an Error that it throws says where before the rest: "model.gguf: logits: ...".
template <typename F>
auto within(std::string_view where, F&& f) {
  try {
    return f();
  } catch (const Error& e) {
    throw Error(e.code(), fmt::format("{}: {}", where, e.what()));
  }
}

[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               const std::string& values);

}  // namespace plumb

// CHECK(i < n, "i {} n {}", i, n): an invariant of plumb. Never for input.
#define CHECK(condition, ...)                                                             \
  do {                                                                                    \
    if (!(condition)) [[unlikely]]                                                        \
      ::plumb::check_failed(__FILE__, __LINE__, #condition, fmt::format("" __VA_ARGS__)); \
  } while (0)
