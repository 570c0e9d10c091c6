// plumb: the command line. Finds the subcommand, and turns whatever it throws into one line on
// standard error and an exit code: 0 done, 1 a fault of plumb or the machine, 2 bad input or usage,
// 130 interrupted.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <new>

#include "base/error.h"
#include "base/text.h"
#include "command.h"
#include "interrupt.h"
#include "output.h"
#include "text/chat_template.h"

namespace plumb {
namespace {

struct Command {
  std::string_view name, summary;
  CommandFunction* run;
};

constexpr Command kCommands[] = {
    {"run", "answers one prompt", run_command},
    {"chat", "a conversation, line by line", chat_command},
    {"tokenize", "text to token ids", tokenize_command},
    {"detokenize", "token ids to text", detokenize_command},
    {"template", "renders a chat template", template_command},
    {"logits", "the logits after every token", logits_command},
    {"info", "what a file is, and what the machine is", info_command},
    {"plan", "the steps that will run, with bytes and operations", plan_command},
    {"check", "a backend against the reference, step by step", check_command},
    {"ppl", "perplexity of a text, and what a configuration costs in quality", ppl_command},
    {"profile", "where the time goes, step by step", profile_command},
    {"bench", "tokens per second, in llama-bench's tests and formats", bench_command},
    {"shapes", "every distinct matrix of a file, timed alone", shapes_command},
    {"compare", "two results: better, worse or no difference", compare_command},
    {"probe", "the limits of the machine", probe_command},
};

std::string command_names() {
  std::string names;
  for (const Command& c : kCommands) names += (names.empty() ? "" : ", ") + std::string(c.name);
  return names;
}

int show_help() {
  std::string out = "plumb runs language models (GGUF files) on this machine.\n\n";
  for (const Command& c : kCommands) out += fmt::format("  plumb {:<12} {}\n", c.name, c.summary);
  write_out(out +
            "\nplumb COMMAND -h says more.\n"
            "Example: plumb run -p 'Why is the sky blue?'\n");
  return 0;
}

int dispatch(std::vector<std::string> words) {
  if (words.empty()) fail("expected a command ({}), got none; plumb -h says more", command_names());
  const std::string name = words.front();
  words.erase(words.begin());
  if (name == "-h" || name == "--help" || name == "help") return show_help();
  if (name == "--version") return write_out("plumb " PLUMB_VERSION "\n"), 0;
  for (const Command& c : kCommands)
    if (c.name == name) return c.run(std::move(words));
  fail("expected a command ({}), got {}", command_names(), plumb::quoted(name));
}

int guarded(std::vector<std::string> words) {
  try {
    const int code = dispatch(std::move(words));
    if (code == 0) show_warnings();
    return code;
  } catch (const Error& e) {
    if (e.code() != ErrorCode::interrupted) note("{}", printable(e.what()));
    return static_cast<int>(e.code());
  } catch (const OutputClosed&) {
    return 1;
  } catch (const std::bad_alloc&) {
    note("out of memory");
    return 1;
  } catch (const std::exception& e) {
    note("unexpected fault: {}", printable(e.what()));
    return 1;
  }
}

// A standard stream that the caller closed must not become the number of the next file opened:
// reading it gives nothing, writing to it fails.
void fill_standard_streams() {
  struct stat status {};
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fstat(fd, &status) != 0) ::open("/dev/null", O_RDONLY);
}

int run_main(int argc, char** argv) {
  fill_standard_streams();
  // A reader that goes away and a limit on the size of files are errors of write, not deaths.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  // A hidden command: the other end of a TemplateRenderer, which ends when plumb closes its pipe
  // and not when a terminal sends Ctrl-C to both.
  if (argc == 2 && std::strcmp(argv[1], "template-worker") == 0) {
    std::signal(SIGINT, SIG_IGN);
    return run_template_worker();
  }
  install_interrupt_handler();
  const auto start = std::chrono::steady_clock::now();
  const int code = guarded(std::vector<std::string>(argv + 1, argv + argc));
  detail("{:.3f} s in all",
         std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  return code;
}

}  // namespace
}  // namespace plumb

int main(int argc, char** argv) {
  return plumb::run_main(argc, argv);
}
