#pragma once
// Where words go: data to standard output, everything else to standard error, colours only on a
// terminal and never with NO_COLOR.

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace plumb {

// Writes all of it to standard output at once, unbuffered. OutputClosed when the reader has gone;
// Error (machine) when the system refuses.
void write_out(std::string_view bytes);
// One line of JSON; bytes that are not UTF-8 become U+FFFD.
void write_json(const nlohmann::ordered_json& value);
struct OutputClosed {};  // ends the program with exit code 1 and no words

// Words from a file on one line, without bytes that a terminal would obey.
std::string printable(std::string_view text);

// To standard error. Failures there are nobody's business.
void write_err(std::string_view text);
template <typename... Args>
void note(fmt::format_string<Args...> format, Args&&... args) {
  write_err("plumb: " + fmt::format(format, std::forward<Args>(args)...) + "\n");
}

// A warning: shown before the first byte of standard output or, where there is none, when the
// command is done. A command that fails says what is wrong and nothing else.
void hold_warning(const std::string& text);
template <typename... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  hold_warning(fmt::format(format, std::forward<Args>(args)...));
}
void show_warnings();

void set_verbose(bool on);
bool is_verbose();  // -v
template <typename... Args>
void detail(fmt::format_string<Args...> format, Args&&... args) {
  if (is_verbose()) note(format, std::forward<Args>(args)...);
}

bool stdin_is_terminal();
bool stdout_is_terminal();
bool stderr_is_terminal();

// Text for standard error in a quiet or a loud colour; unchanged where colours are not wanted.
std::string dim(std::string_view text);
std::string bold(std::string_view text);

}  // namespace plumb
