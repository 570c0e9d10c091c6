// plumb compare: B against A, from two result files or from two commands run in turns.

#include "measure/compare.h"

#include "base/error.h"
#include "base/file.h"
#include "command.h"
#include "measure/shell_command.h"
#include "measuring.h"
#include "output.h"

namespace plumb {
namespace {

constexpr int64_t kLargestFile = int64_t{64} << 20;
constexpr int64_t kMostRounds = 1000;

struct Options {
  std::vector<std::string> files, commands;
  int64_t rounds = 20;
  bool json = false;
};

// The words that are no options: files. Two of them look like "A B".
std::vector<std::string> take_files(std::vector<std::string>& words) {
  std::vector<std::string> files, rest;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!word.starts_with('-') || word == "-") {
      files.push_back(word);
      continue;
    }
    rest.push_back(word);
    const bool takes_value = word == "--run" || word == "--rounds";
    if (takes_value && i + 1 < words.size()) rest.push_back(words[++i]);
  }
  words = std::move(rest);
  return files;
}

std::vector<TestRates> run(const std::string& command) {
  return parse_results(run_shell_command(command, is_verbose()), command);
}

void show(const char* who, const std::vector<TestRates>& results) {
  for (const TestRates& r : results)
    detail("{} {} {:.2f} t/s", who, test_name(r.test), median(r.rates));
}

// Each goes first every other time, so that what changes evenly over time hits both alike.
Round run_round(const Options& o, bool b_first) {
  Round round;
  for (const bool is_b : {b_first, !b_first}) {
    auto& results = is_b ? round.b : round.a;
    results = run(o.commands[is_b]);
    show(is_b ? "B" : "A", results);
  }
  return round;
}

Comparison compare_commands(const Options& o) {
  run_round(o, false);  // a warm-up: files are read, clocks rise
  std::vector<Round> rounds;
  for (int64_t i = 0; i < o.rounds; ++i) {
    if (stderr_is_terminal()) write_err(fmt::format("\rround {}/{}", i + 1, o.rounds));
    rounds.push_back(run_round(o, i % 2 == 1));
  }
  if (stderr_is_terminal()) write_err("\n");
  return compare_rounds(rounds);
}

Comparison compare_files(const std::vector<std::string>& files) {
  const auto read = [](const std::string& file) {
    return parse_results(read_file(file, kLargestFile), file);
  };
  return compare_results(read(files[0]), read(files[1]));
}

// Names of tests come from the files.
std::string printable_lines(const std::string& text) {
  std::string out;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    out += printable(std::string_view(text).substr(begin, end - begin)) + "\n";
    begin = end + 1;
  }
  return out;
}

void check(const Options& o) {
  if (!o.files.empty() && !o.commands.empty())
    fail("compare: expected two files or two commands (--run), got both");
  if (o.commands.size() != 2 && (o.files.size() != 2 || !o.commands.empty()))
    fail(
        "compare: expected two files or two commands (--run CMD --run CMD), got {} file{} and {} "
        "command{}",
        o.files.size(), o.files.size() == 1 ? "" : "s", o.commands.size(),
        o.commands.size() == 1 ? "" : "s");
}

}  // namespace

int compare_command(std::vector<std::string> words) {
  Options o;
  Measuring measuring("compare", words);
  Arguments arguments("compare", "B against A: better, worse or no difference",
                      "plumb compare before.json after.json");
  arguments.texts("--run", o.commands,
                  "a command that prints llama-bench's JSON; twice, and they run in turns");
  arguments.integer("--rounds", o.rounds, static_cast<int64_t>(kFewestRuns), kMostRounds,
                    "of the two commands, after one to warm up (default: 20)");
  measuring.attach(arguments);
  arguments.flag("--json", o.json, "the same as JSON");
  arguments.remark(fmt::format(
      "A and B are files with llama-bench's or plumb bench's JSON or JSON lines, or commands:\n"
      "  plumb compare --run 'old/plumb bench -n 64 -p 0 -o json' --run 'plumb bench -n 64 -p 0 -o "
      "json'\n"
      "A difference counts when it is {:.0f} % or more and its {:.0f} % interval leaves out 1.\n",
      100 * kLeastDifference, 100 * kConfidence));
  o.files = take_files(words);
  if (!arguments.parse(words)) return 0;
  check(o);
  if (!o.commands.empty()) {
    measuring.start();
    measuring.lend();
  }
  const Comparison result = o.commands.empty() ? compare_files(o.files) : compare_commands(o);
  if (o.json)
    write_json(to_json(result));
  else
    write_out(printable_lines(to_text(result)));
  return 0;
}

}  // namespace plumb
