#include "line_editor.h"

#include <histedit.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cwchar>

#include "base/error.h"
#include "base/text.h"
#include "output.h"

namespace plumb {
namespace {

constexpr int kHistoryLines = 1000;
constexpr size_t kLongestLine = size_t{64} << 20;

// libedit counts characters, for which it asks the locale.
void use_utf8() {
  if (std::setlocale(LC_CTYPE, "") && MB_CUR_MAX > 1) return;
  for (const char* name : {"C.UTF-8", "en_US.UTF-8"})
    if (std::setlocale(LC_CTYPE, name)) return;
}

}  // namespace

struct LineEditor::Terminal {
  EditLine* editor = nullptr;
  History* history = nullptr;
  HistEvent event{};
  std::filesystem::path history_file;
  const char* prompt = "";
  Interruptible& interruptible;
  std::string interrupted_line;

  Terminal(std::filesystem::path file, Interruptible& ctrl_c)
      : history_file(std::move(file)), interruptible(ctrl_c) {
    use_utf8();
    editor = ::el_init("plumb", stdin, stderr, stderr);
    history = ::history_init();
    if (!editor || !history) fail_machine("the line editor does not start");
    ::history(history, &event, H_SETSIZE, kHistoryLines);
    ::history(history, &event, H_SETUNIQUE, 1);
    ::history(history, &event, H_LOAD, history_file.c_str());
    ::el_set(editor, EL_CLIENTDATA, this);
    ::el_set(editor, EL_EDITOR, "emacs");
    ::el_set(editor, EL_HIST, ::history, history);
    ::el_set(editor, EL_PROMPT, prompt_of);
    ::el_wset(editor, EL_GETCFN, get_character);
    ::el_source(editor, nullptr);  // ~/.editrc
  }
  ~Terminal() {
    if (history) ::history_end(history);
    if (editor) ::el_end(editor);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  static Terminal& of(EditLine* e) {
    void* self = nullptr;
    ::el_get(e, EL_CLIENTDATA, &self);
    return *static_cast<Terminal*>(self);
  }
  static char* prompt_of(EditLine* e) { return const_cast<char*>(of(e).prompt); }

  // libedit's own reader tries again after a signal, and would not notice Ctrl-C.
  static int get_character(EditLine* e, wchar_t* out) {
    Terminal& self = of(e);
    std::mbstate_t state{};
    for (;;) {
      if (!self.interruptible.wait_for_input(STDIN_FILENO)) {
        const LineInfo* info = ::el_line(e);
        self.interrupted_line.assign(info->buffer, info->lastchar);
        errno = EINTR;
        return -1;
      }
      char byte;
      const ssize_t n = ::read(STDIN_FILENO, &byte, 1);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return static_cast<int>(n);
      const size_t length = std::mbrtowc(out, &byte, 1, &state);
      if (length == static_cast<size_t>(-1)) state = {};  // not a character: dropped
      if (length <= 1) return 1;
    }
  }

  Event read(const char* shown, std::string& line) {
    prompt = shown;
    ::el_resize(editor);
    ::el_set(editor, EL_PREP_TERM,
             1);  // before the prompt shows: keys from then on are for editing
    int count = 0;
    const char* text = ::el_gets(editor, &count);
    if (interruptible.interrupted()) {
      line = interrupted_line;
      interruptible.lower();
      write_err("\n");
      return Event::interrupted;
    }
    if (!text || count <= 0) return Event::end;
    line = text;
    if (line.ends_with('\n')) line.pop_back();
    remember(line);
    return Event::line;
  }

  void remember(const std::string& line) {
    if (line.empty()) return;
    ::history(history, &event, H_ENTER, line.c_str());
    std::error_code ignored;
    std::filesystem::create_directories(history_file.parent_path(), ignored);
    ::history(history, &event, H_SAVE, history_file.c_str());
  }
};

LineEditor::LineEditor(std::filesystem::path history_file, Interruptible& interruptible)
    : interruptible_(interruptible) {
  if (stdin_is_terminal() && stderr_is_terminal())
    terminal_ = std::make_unique<Terminal>(std::move(history_file), interruptible);
}

LineEditor::~LineEditor() = default;

LineEditor::Event LineEditor::read(const char* prompt, std::string& line) {
  return terminal_ ? terminal_->read(prompt, line) : read_plain(line);
}

LineEditor::Event LineEditor::read_plain(std::string& line) {
  for (;;) {
    const size_t end = buffer_.find('\n', searched_);
    if (end != std::string::npos) {
      line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      searched_ = 0;
      return Event::line;
    }
    searched_ = buffer_.size();
    if (buffer_.size() > kLongestLine)
      fail("standard input: expected lines of at most {}, got a longer one",
           human_bytes(kLongestLine));
    if (!interruptible_.wait_for_input(STDIN_FILENO)) {
      line = buffer_;
      interruptible_.lower();
      return Event::interrupted;
    }
    char piece[1 << 16];
    const ssize_t n = ::read(STDIN_FILENO, piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n > 0) {
      buffer_.append(piece, static_cast<size_t>(n));
      continue;
    }
    line = std::exchange(buffer_, {});  // a last line without an end is a line too
    searched_ = 0;
    return line.empty() ? Event::end : Event::line;
  }
}

}  // namespace plumb
