#include "output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace plumb {
namespace {

bool g_verbose = false;
std::string g_warnings;  // whole lines, not yet shown

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

// https://no-color.org: present and not empty.
bool wants_colour() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return stderr_is_terminal() && !(no_color && *no_color) &&
         !(term && std::strcmp(term, "dumb") == 0);
}

std::string coloured(std::string_view text, std::string_view code) {
  return wants_colour() ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

}  // namespace

void write_out(std::string_view bytes) {
  show_warnings();
  if (write_all(STDOUT_FILENO, bytes)) return;
  if (errno == EPIPE) throw OutputClosed();
  fail_machine("standard output: cannot write: {}", std::strerror(errno));
}

void write_json(const nlohmann::ordered_json& value) {
  write_out(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return out;
}

void write_err(std::string_view text) {
  write_all(STDERR_FILENO, text);
}

void hold_warning(const std::string& text) {
  g_warnings += "plumb: " + text + "\n";
}
void show_warnings() {
  write_err(std::exchange(g_warnings, {}));
}

void set_verbose(bool on) {
  g_verbose = on;
}
bool is_verbose() {
  return g_verbose;
}

bool stdin_is_terminal() {
  return ::isatty(STDIN_FILENO);
}
bool stdout_is_terminal() {
  return ::isatty(STDOUT_FILENO);
}
bool stderr_is_terminal() {
  return ::isatty(STDERR_FILENO);
}

std::string dim(std::string_view text) {
  return coloured(text, "2");
}
std::string bold(std::string_view text) {
  return coloured(text, "1");
}

}  // namespace plumb
