#include "arguments.h"

#include <CLI/CLI.hpp>
#include <cfloat>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "output.h"

namespace plumb {
namespace {

// Shows names as users type them, where CLI11 knows them otherwise.
class Formatter : public CLI::Formatter {
 public:
  std::map<const CLI::Option*, std::string> names;

  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    const auto known = names.find(option);
    return known == names.end() ? CLI::Formatter::make_option_name(option, is_positional)
                                : known->second;
  }
};

bool is_long_with_one_dash(std::string_view name) {
  return name.size() > 2 && name[0] == '-' && name[1] != '-';
}

std::vector<std::string> split(std::string_view names) {
  std::vector<std::string> out;
  for (size_t begin = 0; begin <= names.size();) {
    const size_t end = std::min(names.find(',', begin), names.size());
    out.emplace_back(names.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

}  // namespace

struct Arguments::Parser {
  std::string command, example, remarks;
  CLI::App app;
  std::shared_ptr<Formatter> formatter = std::make_shared<Formatter>();
  std::map<std::string, std::string, std::less<>> aliases;  // "-ctk" -> "--ctk"
  bool verbose = false;
};

Arguments::Arguments(std::string_view command, std::string_view summary, std::string_view example)
    : parser_(std::make_unique<Parser>()) {
  parser_->command = command;
  parser_->example = example;
  parser_->app.name("plumb " + std::string(command));
  parser_->app.description(std::string(summary));
  parser_->app.formatter(parser_->formatter);
  parser_->formatter->column_width(34);
  parser_->app.set_help_flag("-h,--help", "this text");
  flag("-v,--verbose", parser_->verbose, "say more on standard error");
}

Arguments::~Arguments() = default;

std::string Arguments::first_name(std::string_view names) {
  return split(names).front();
}

// The names as CLI11 wants them, which knows no long names with one dash.
std::string Arguments::declare(std::string_view names) {
  std::string declared;
  for (std::string name : split(names)) {
    if (is_long_with_one_dash(name)) name = parser_->aliases[name] = "-" + name;
    declared += (declared.empty() ? "" : ",") + name;
  }
  return declared;
}

void Arguments::flag(std::string_view names, bool& value, std::string_view help) {
  const CLI::Option* option = parser_->app.add_flag(declare(names), value, std::string(help));
  parser_->formatter->names[option] = names;
}

void Arguments::add(std::string_view names, std::string_view type, std::string_view help,
                    std::function<void(const std::string&)> read, bool repeatable) {
  const auto read_all = [read](const CLI::results_t& words) {
    for (const std::string& word : words) read(word);
    return true;
  };
  CLI::Option* option = parser_->app.add_option(declare(names), read_all, std::string(help));
  option->type_name(std::string(type))->type_size(1)->expected(1)->allow_extra_args(false);
  using Policy = CLI::MultiOptionPolicy;
  option->multi_option_policy(repeatable ? Policy::TakeAll : Policy::TakeLast);
  parser_->formatter->names[option] = names;
}

void Arguments::text(std::string_view names, std::string& value, std::string_view help) {
  add(names, "TEXT", help, [&value](const std::string& word) { value = word; });
}

void Arguments::text(std::string_view names, std::optional<std::string>& value,
                     std::string_view help) {
  add(names, "TEXT", help, [&value](const std::string& word) { value = word; });
}

void Arguments::texts(std::string_view names, std::vector<std::string>& values,
                      std::string_view help) {
  add(
      names, "TEXT", help, [&values](const std::string& word) { values.push_back(word); }, true);
}

void Arguments::remark(std::string_view sentence) {
  parser_->remarks += fmt::format("{}\n", sentence);
}

int64_t Arguments::parse_integer(std::string_view name, std::string_view word, int64_t min,
                                 int64_t max) {
  int64_t value = 0;
  const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (problem != std::errc() || end != word.data() + word.size() || value < min || value > max)
    fail("{}: expected an integer from {} to {}, got {}", name, min, max, plumb::quoted(word));
  return value;
}

// strtod reads hexadecimal, "inf", "nan" and leading spaces too; none of those is meant here.
double Arguments::parse_number(std::string_view name, std::string_view word) {
  const std::string copy(word);
  char* end = nullptr;
  const double value = std::strtod(copy.c_str(), &end);
  const bool plain = copy.find_first_not_of("0123456789+-.eE") == std::string::npos;
  if (copy.empty() || !plain || *end != '\0' || !(std::abs(value) <= FLT_MAX))
    fail("{}: expected a finite number, got {}", name, plumb::quoted(word));
  return value;
}

// Long names with one dash become CLI11's, and --name=value two words, so that values are never
// taken for options and may be empty.
std::vector<std::string> Arguments::normalised(const std::vector<std::string>& words) const {
  std::vector<std::string> out;
  for (size_t i = 0; i < words.size(); ++i) {
    const size_t equals = words[i].find('=');
    std::string name = words[i].substr(0, equals);
    if (const auto alias = parser_->aliases.find(name); alias != parser_->aliases.end())
      name = alias->second;
    const bool is_name = name.size() > 1 && name[0] == '-' && (name[1] == '-' || name.size() == 2);
    const CLI::Option* option = is_name ? parser_->app.get_option_no_throw(name) : nullptr;
    const bool takes_value = option && option->get_items_expected_max() > 0;
    if (option && !takes_value && equals != std::string::npos)
      fail("{}: expected no value, got {}", words[i].substr(0, equals),
           plumb::quoted(words[i].substr(equals + 1)));
    out.push_back(option ? name : words[i]);
    if (!takes_value) continue;
    if (equals != std::string::npos)
      out.push_back(words[i].substr(equals + 1));
    else if (i + 1 < words.size())
      out.push_back(words[++i]);
    else
      fail("{}: expected a value after it, got nothing", words[i]);
  }
  return out;
}

bool Arguments::parse(const std::vector<std::string>& words) {
  std::vector<std::string> reversed = normalised(words);
  std::reverse(reversed.begin(), reversed.end());
  try {
    parser_->app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    write_out(parser_->app.help() + parser_->remarks + "Example: " + parser_->example + "\n");
    return false;
  } catch (const CLI::ExtrasError&) {
    fail("{}: expected an option (see plumb {} -h), got {}", parser_->command, parser_->command,
         plumb::quoted(parser_->app.remaining().front()));
  } catch (const CLI::ParseError& e) {
    fail("{}: {} (see plumb {} -h)", parser_->command, e.what(), parser_->command);
  }
  set_verbose(parser_->verbose);
  return true;
}

}  // namespace plumb
