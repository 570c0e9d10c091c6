#include "line_editor.h"

#include <histedit.h>
#include <unistd.h>

#include <algorithm>
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

// What the terminal sends before and after a paste, once it is asked to.
constexpr const char* kAskForPastes = "\x1b[?2004h";
constexpr const char* kNoMorePastes = "\x1b[?2004l";
constexpr const char* kPasteBegins = "\x1b[200~";
constexpr std::wstring_view kPasteEnds = L"\x1b[201~";

class AsksForPastes {
 public:
  AsksForPastes() { write(kAskForPastes); }
  ~AsksForPastes() { write(kNoMorePastes); }

 private:
  static void write(const char* sequence) {
    const char* term = std::getenv("TERM");
    if (term && std::string_view(term) != "dumb") write_err(sequence);
  }
};

// Lines end as Enter does; other control characters would act, and the last line's end is left to
// Enter itself.
std::wstring cleaned(std::wstring_view pasted) {
  std::wstring out;
  for (const wchar_t key : pasted) {
    const wchar_t c = key == L'\r' ? L'\n' : key;
    if (c == L'\n' || c == L'\t' || (c >= 0x20 && c != 0x7f)) out += c;
  }
  if (out.ends_with(L'\n')) out.pop_back();
  return out;
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
    ::el_wset(editor, EL_ADDFN, L"take-paste", L"Insert what is pasted", take_paste);
    ::el_set(editor, EL_BIND, kPasteBegins, "take-paste", nullptr);
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

  static unsigned char take_paste(EditLine* e, wint_t) {
    std::wstring text;
    wchar_t c;
    while (!text.ends_with(kPasteEnds)) {
      if (::el_wgetc(e, &c) != 1 || text.size() > kLongestLine) return CC_EOF;
      text += c;
    }
    text.resize(text.size() - kPasteEnds.size());
    return ::el_winsertstr(e, cleaned(text).c_str()) == 0 ? CC_REFRESH : CC_ERROR;
  }

  Event read(const char* shown, std::string& line) {
    prompt = shown;
    ::el_resize(editor);
    ::el_set(editor, EL_PREP_TERM,
             1);  // before the prompt shows: keys from then on are for editing
    int count = 0;
    const AsksForPastes scope;
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
    if (history_file.empty()) return;
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

void LineEditor::give_back(const std::string& text) {
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (terminal_ && std::none_of(text.begin(), text.end(), is_control))
    ::el_push(terminal_->editor, text.c_str());
}

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
