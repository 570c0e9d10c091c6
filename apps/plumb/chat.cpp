// plumb chat: a conversation, line by line.

#include "base/error.h"
#include "base/text.h"
#include "command.h"
#include "conversation.h"
#include "line_editor.h"
#include "model_folder.h"
#include "output.h"
#include "responder.h"
#include "stats.h"

namespace plumb {
namespace {

constexpr const char* kHelp =
    "/help          these lines\n"
    "/reset         forgets the conversation, not the system text\n"
    "/system TEXT   tells the model what to be from now on; without TEXT nothing\n"
    "/save FILE     writes the conversation\n"
    "/load FILE     goes on with a written one\n"
    "/stats         figures of the last answer\n"
    "/exit          ends, as Ctrl-D does\n"
    "A backslash at the end of a line continues it on the next; a space before / makes it text.\n"
    "Lines that are pasted together are one message. Ctrl-C ends an answer.\n";

// None, and so no history, where nothing says where to keep it.
std::filesystem::path history_file() {
  try {
    return model_folder() / ".chat-history";
  } catch (const Error&) {
    return {};
  }
}

struct ChatOptions {
  TextOptions first;
  ModelOptions model;
  SamplingOptions sampling;
  std::string system;
  bool raw = false, json = false, no_stats = false;
};

class Chat {
 public:
  explicit Chat(const ChatOptions& options)
      : options_(options),
        model_(options.model, options.sampling),
        editor_(history_file(), ctrl_c_) {
    conversation_.system = options.system;
    if (options.raw) return;
    prompt_.emplace(model_.engine().file().metadata(), model_.engine().tokenizer());
    if (prompt_->is_fallback()) warn_of_fallback(model_.engine());
  }

  int run();

 private:
  enum class Next { go_on, quit };

  std::optional<std::string> read_message();
  Next take(const std::string& message);
  Next command(const std::string& line);
  void answer(const std::string& text);
  std::vector<int32_t> prompt_ids();
  void end_answer(const Generation& g);
  void load(const std::string& file);

  const ChatOptions& options_;
  Responder model_;
  std::optional<ChatPrompt> prompt_;  // none: --raw
  Interruptible ctrl_c_;              // from here on; before, Ctrl-C ends the program
  LineEditor editor_;
  Conversation conversation_;
  std::optional<Generation> last_;
  int exit_code_ = 0;
};

int Chat::run() {
  if (editor_.is_interactive()) {
    show_warnings();
    write_err(dim(fmt::format("{} · /help\n", model_.path().filename().string())));
  }
  if (options_.first.given()) take(options_.first.read("chat"));
  while (const auto message = read_message())
    if (take(*message) == Next::quit) break;
  return exit_code_;
}

// Lines joined by backslashes, the last of which the end of the input may leave open; nothing at
// the end of the input, or after two Ctrl-C in a row.
std::optional<std::string> Chat::read_message() {
  std::string message;
  bool warned = false;
  for (;;) {
    std::string line;
    const auto event = editor_.read(message.empty() ? "> " : ". ", line);
    if (event == LineEditor::Event::end) {
      if (editor_.is_interactive()) write_err("\n");
      return message.empty() ? std::nullopt : std::optional(message);
    }
    if (event == LineEditor::Event::interrupted) {
      const bool was_empty = message.empty() && line.empty();
      if ((warned && was_empty) || !editor_.is_interactive()) {
        exit_code_ = 130;
        return std::nullopt;
      }
      if (was_empty) write_err("(Ctrl-C again or Ctrl-D ends the chat)\n");
      warned = was_empty;
      message.clear();
      continue;
    }
    if (!line.ends_with('\\')) return message + line;
    line.back() = '\n';
    message += line;
  }
}

// A wrong word costs a message, not the conversation; a script learns of it by the exit code.
Chat::Next Chat::take(const std::string& message) {
  try {
    if (message.starts_with('/')) return command(message);
    if (message.find_first_not_of(" \t\r\n") != std::string::npos) answer(message);
  } catch (const Error& e) {
    note("{}", printable(e.what()));
    if (!editor_.is_interactive()) exit_code_ = static_cast<int>(e.code());
  }
  return Next::go_on;
}

Chat::Next Chat::command(const std::string& line) {
  const size_t space = line.find(' ');
  const std::string name = line.substr(0, space);
  const size_t begin = line.find_first_not_of(' ', std::min(space, line.size()));
  const std::string rest = begin == std::string::npos ? "" : line.substr(begin);
  const auto need_file = [&] {
    if (rest.empty()) fail("{}: expected a file, got nothing", name);
    return rest;
  };
  if (name == "/exit" || name == "/quit") return Next::quit;
  if (name == "/help") {
    write_err(kHelp);
  } else if (name == "/reset") {
    conversation_.messages.clear();
    model_.reset();
  } else if (name == "/system") {
    if (options_.raw) fail("/system: expected a chat template to say it, got --raw");
    conversation_.system = rest;
  } else if (name == "/save") {
    const std::string file = need_file();
    conversation_.save(file, model_.path().filename().string());
    note("{}: {} messages written", file, conversation_.messages.size());
  } else if (name == "/load") {
    load(need_file());
  } else if (name == "/stats") {
    if (!last_) fail("/stats: expected an answer before it, got none");
    write_err(dim(to_text(stats_of(model_.engine(), *last_, options_.model.threads()))));
  } else {
    fail("chat: expected one of /help /reset /system /save /load /stats /exit, got {}",
         plumb::quoted(name));
  }
  return Next::go_on;
}

void Chat::load(const std::string& file) {
  Conversation loaded = Conversation::load(file);
  if (options_.raw && !loaded.system.empty())
    fail("{}: expected no system message with --raw, got one", file);
  conversation_ = std::move(loaded);
  note("{}: {} messages", file, conversation_.messages.size());
}

// Raw: everything said so far, as one text to be continued.
std::vector<int32_t> Chat::prompt_ids() {
  if (prompt_) return prompt_->encode(conversation_.all());
  std::string text;
  for (const Message& m : conversation_.messages) text += m.content;
  return encode_to_continue(model_.engine().tokenizer(), text);
}

void Chat::answer(const std::string& text) {
  conversation_.messages.push_back({"user", text});
  try {
    const std::vector<int32_t> ids = prompt_ids();
    const int64_t n_positions = model_.engine().plan().options.n_positions;
    if (static_cast<int64_t>(ids.size()) >= n_positions)
      fail(
          "the conversation does not fit: expected less than {} tokens (-c), got {}; /reset "
          "starts again",
          n_positions, ids.size());
    last_ = model_.respond(ids, !options_.json, ctrl_c_);
    ctrl_c_.lower();
  } catch (...) {
    conversation_.messages.pop_back();
    throw;
  }
  if (last_->text.empty() && last_->stop == StopReason::interrupt) {
    conversation_.messages.pop_back();  // as if it had not been asked
    editor_.give_back(text);
  } else {
    conversation_.messages.push_back({"assistant", last_->text});
  }
  end_answer(*last_);
}

void Chat::end_answer(const Generation& g) {
  if (options_.json) {
    const int n_threads = options_.model.threads();
    write_json(model_.answer_json(g, stats_of(model_.engine(), g, n_threads, !options_.no_stats)));
  } else if (!g.text.ends_with('\n') && !stdout_is_terminal()) {
    write_out("\n");
  }
  if (g.stop == StopReason::length && model_.session().room() == 0)
    note("the context is full, the answer is cut (-c {}); /reset starts again",
         model_.engine().plan().options.n_positions);
  if (options_.no_stats || options_.json) return;
  const double rate =
      g.generate_seconds > 0 ? static_cast<double>(g.decoded_tokens) / g.generate_seconds : 0;
  write_err(
      dim(fmt::format("[{} tokens, {:.1f} tok/s, {} of {} positions used]\n", g.ids.size(), rate,
                      model_.session().ids().size(), model_.engine().plan().options.n_positions)));
}

}  // namespace

int chat_command(std::vector<std::string> words) {
  ChatOptions options;
  Arguments arguments("chat", "a conversation, line by line; /help inside it",
                      "plumb chat --system 'You are a patient teacher.'");
  options.first.attach(arguments);
  arguments.text("--system,-sys,--system-prompt", options.system, "what the model should be");
  options.sampling.attach(arguments);
  options.model.attach(arguments);
  arguments.flag("--raw", options.raw,
                 "each line continues the text so far as it stands, without a chat template");
  arguments.flag("--json", options.json, "each answer as one JSON object on a line, as from run");
  arguments.flag("--no-stats", options.no_stats,
                 "no figures after an answer, and no measuring for them");
  if (!arguments.parse(words)) return 0;
  options.sampling.check();
  if (options.raw && !options.system.empty())
    fail("chat: expected one of --raw and --system, got both");
  return Chat(options).run();
}

}  // namespace plumb
