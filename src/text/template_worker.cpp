// The worker's side of chat_template.h: it reads requests, gives itself the limits they name,
// renders, and answers. It is the process that a hostile template may kill.

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "text/chat_template.h"
#include "text/jinja/jinja.h"
#include "text/template_protocol.h"

namespace plumb {
namespace {

// The sanitizers reserve address space for their shadow memory, which no limit must touch.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kHasShadowMemory = true;
#elif defined(__has_feature)
constexpr bool kHasShadowMemory =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kHasShadowMemory = false;
#endif

constexpr size_t kStackBytes = size_t{64} << 20;
// A render that leaves more than this behind has made reference cycles; the next template shall not
// pay for them.
constexpr size_t kLeftoverBytes = size_t{16} << 20;

bool read_all(void* data, size_t size) {
  auto* at = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t n = read(STDIN_FILENO, at, size);
    if (n == 0 || (n < 0 && errno != EINTR)) return false;
    if (n < 0) continue;
    at += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

bool write_all(const void* data, size_t size) {
  const auto* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = write(STDOUT_FILENO, at, size);
    if (n < 0 && errno != EINTR) return false;
    if (n < 0) continue;
    at += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

// `Resource` is an enumeration in some C libraries and int in others.
template <typename Resource>
void set_soft_limit(Resource resource, rlim_t value) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) return;
  limit.rlim_cur = std::min(value, limit.rlim_max);
  setrlimit(resource, &limit);
}

// Address space in use, or nothing where the system does not tell.
std::optional<rlim_t> address_space_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (!file) return std::nullopt;
  unsigned long pages = 0;
  const int read = std::fscanf(file, "%lu", &pages);
  std::fclose(file);
  if (read != 1) return std::nullopt;
  return static_cast<rlim_t>(pages) * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
}

rlim_t cpu_seconds_used() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<rlim_t>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + 1;
}

void out_of_memory() {
  _exit(kTemplateOutOfMemory);
}

// The engine counts its own heap; the limit on address space stands behind it for everything else.
void apply_limits(const TemplateRequest& request) {
  plumb_jinja_limit_memory(static_cast<size_t>(request.heap_bytes), out_of_memory);
  set_soft_limit(RLIMIT_CPU, cpu_seconds_used() + static_cast<rlim_t>(request.cpu_seconds));
  if (kHasShadowMemory) return;
  static const std::optional<rlim_t> at_start = address_space_bytes();
  if (at_start)
    set_soft_limit(RLIMIT_AS, *at_start + static_cast<rlim_t>(request.address_space_bytes));
}

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm result{};
  localtime_r(&now, &result);
  return result;
}

std::tm time_of(const TemplateRequest& request) {
  if (!request.has_now) return local_time();
  std::tm t{};
  int* const fields[] = {&t.tm_sec, &t.tm_min,  &t.tm_hour, &t.tm_mday,
                         &t.tm_mon, &t.tm_year, &t.tm_wday, &t.tm_yday};
  for (size_t i = 0; i < std::size(fields); ++i) *fields[i] = request.now[i];
  t.tm_isdst = -1;
  return t;
}

// Python's datetime.strftime of a time without a zone: %f is six digits, %z and %Z are empty, the
// rest is the C library's.
std::string python_format(std::string_view format) {
  std::string c_format;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      c_format += format[i];
      continue;
    }
    const char kind = format[++i];
    if (kind == 'f') {
      c_format += "000000";
    } else if (kind != 'z' && kind != 'Z') {
      c_format += {'%', kind};
    }
  }
  return c_format;
}

size_t strftime_now(void* user, const uint8_t* format, size_t format_size, uint8_t* out,
                    size_t capacity) {
  // A last character of our own tells an empty result from one that does not fit.
  const std::string c_format =
      python_format({reinterpret_cast<const char*>(format), format_size}) + ".";
  const size_t size = std::strftime(reinterpret_cast<char*>(out), capacity, c_format.c_str(),
                                    static_cast<const std::tm*>(user));
  return size == 0 ? SIZE_MAX : size - 1;
}

bool answer(TemplateStatus status, int64_t line, std::span<const uint8_t> text, bool is_last) {
  const TemplateResponse response{.status = status,
                                  .line = line,
                                  .text_bytes = static_cast<int64_t>(text.size()),
                                  .is_last = is_last};
  return write_all(&response, sizeof response) && write_all(text.data(), text.size());
}

// Renders and answers; false when nothing more shall be read.
bool serve(const TemplateRequest& request, const std::vector<uint8_t>& input) {
  std::tm now = time_of(request);
  const auto source_bytes = static_cast<size_t>(request.source_bytes);
  const plumb_jinja_request render{.source = input.data(),
                                   .source_size = source_bytes,
                                   .context = input.data() + source_bytes,
                                   .context_size = input.size() - source_bytes,
                                   .strftime_now = strftime_now,
                                   .user = &now,
                                   .fuel = 0,
                                   .stack_bytes = kStackBytes};
  plumb_jinja_response response{};
  plumb_jinja_render(&render, &response);
  const bool is_last = plumb_jinja_memory_in_use() > response.size + kLeftoverBytes;
  const auto status =
      response.status == PLUMB_JINJA_OK ? TemplateStatus::rendered : TemplateStatus::failed;
  const bool written =
      answer(status, static_cast<int64_t>(response.line), {response.text, response.size}, is_last);
  plumb_jinja_free(&response);
  return written && !is_last;
}

bool is_sane(const TemplateRequest& request) {
  return request.magic == kTemplateMagic && request.source_bytes >= 0 &&
         request.context_bytes >= 0 && request.source_bytes <= request.input_bytes &&
         request.context_bytes <= request.input_bytes - request.source_bytes;
}

}  // namespace

int run_template_worker() {
  signal(SIGPIPE, SIG_IGN);
  set_soft_limit(RLIMIT_CORE, 0);
  TemplateRequest request;
  while (read_all(&request, sizeof request)) {
    if (!is_sane(request)) return 2;
    apply_limits(request);
    std::vector<uint8_t> input(static_cast<size_t>(request.source_bytes + request.context_bytes));
    if (!read_all(input.data(), input.size())) return 1;
    if (!serve(request, input)) return 0;
  }
  return 0;
}

}  // namespace plumb
