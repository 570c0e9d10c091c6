#pragma once
// The options of one command: CLI11 with plumb's conventions. Every option says what it expects;
// numbers are strict; the last of several wins; llama.cpp's long names with a single dash (-ctk)
// are understood. All usage errors are plumb's Error.

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

class Arguments {
 public:
  // "run", "answers one prompt", "plumb run -p 'Hello'"
  Arguments(std::string_view command, std::string_view summary, std::string_view example);
  ~Arguments();

  // Names as users type them: "-n,--predict". What is bound keeps its value where the option is not
  // given, and must outlive parse().
  void flag(std::string_view names, bool& value, std::string_view help);
  void text(std::string_view names, std::string& value, std::string_view help);
  void text(std::string_view names, std::optional<std::string>& value, std::string_view help);
  void texts(std::string_view names, std::vector<std::string>& values, std::string_view help);
  // Number: float or std::optional<float>. Integer likewise.
  template <typename Number>
  void number(std::string_view names, Number& value, std::string_view help) {
    add(names, "X", help, [&value, name = first_name(names)](const std::string& word) {
      value = static_cast<float>(parse_number(name, word));
    });
  }
  template <typename Integer>
  void integer(std::string_view names, Integer& value, int64_t min, int64_t max,
               std::string_view help) {
    add(names, "N", help, [=, &value, name = first_name(names)](const std::string& word) {
      value = static_cast<Integer>(parse_integer(name, word, min, max));
    });
  }
  // Anything else: `read` gets the word and throws Error where it does not like it. Of several the
  // last, or each in order where the option is repeatable.
  void add(std::string_view names, std::string_view type, std::string_view help,
           std::function<void(const std::string&)> read, bool repeatable = false);

  // A sentence below the options in the help.
  void remark(std::string_view sentence);

  // False: help was asked for and printed. Also sets verbose() (see output.h) by -v.
  bool parse(const std::vector<std::string>& words);

  // Error: "-n: expected an integer from 1 to 5, got "x"".
  static int64_t parse_integer(std::string_view name, std::string_view word, int64_t min,
                               int64_t max);
  static double parse_number(std::string_view name, std::string_view word);  // fits a float

 private:
  static std::string first_name(std::string_view names);
  std::string declare(std::string_view names);
  std::vector<std::string> normalised(const std::vector<std::string>& words) const;

  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace plumb
