#pragma once
// Lines from the user: with editing and history (libedit) where there is a terminal, else as they
// come from standard input. Lines pasted together into a terminal stay together (bracketed paste,
// https://invisible-island.net/xterm/xterm-paste64.html): one "line" with newlines in it.

#include <filesystem>
#include <memory>
#include <string>

#include "interrupt.h"

namespace plumb {

class LineEditor {
 public:
  // The history is read from and kept in the file ("": nowhere); failures are ignored.
  LineEditor(std::filesystem::path history_file, Interruptible& interruptible);
  ~LineEditor();

  enum class Event {
    line,         // may hold newlines: a paste
    interrupted,  // Ctrl-C, which is lowered; `line` is what stood there
    end           // Ctrl-D or the end of the input
  };
  // Without the line's end. The prompt is shown on a terminal only.
  Event read(const char* prompt, std::string& line);

  // The next read() begins with this text, as if it had been typed; nothing off a terminal, and of
  // a text with control characters (they would act).
  void give_back(const std::string& text);

  bool is_interactive() const { return terminal_ != nullptr; }

 private:
  struct Terminal;
  Event read_plain(std::string& line);

  Interruptible& interruptible_;
  std::unique_ptr<Terminal> terminal_;  // null: plain lines
  std::string buffer_;                  // of plain lines: read and not yet returned
  size_t searched_ = 0;                 // bytes of it known to hold no line's end
};

}  // namespace plumb
