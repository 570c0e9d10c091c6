#pragma once
// Runs a program as a user or a script would: arguments in, standard streams and exit code out.

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace plumb::test {

// Whether the machine has pseudo-terminals to give: a bare chroot without /dev/pts has none.
bool has_pseudo_terminals();

struct ProgramOptions {
  std::map<std::string, std::string> environment;  // set for it; "": unset
  bool terminal = false;    // a pseudo-terminal for all three streams (all output is `out`)
  std::string stdout_file;  // instead of a pipe; "-": closed
};

// What is left of it. code: the exit code, or 128 + the signal that ended it.
struct Finished {
  int code;
  std::string out, err;
};

class Program {
 public:
  Program(const std::string& path, const std::vector<std::string>& arguments,
          const ProgramOptions& options = {});
  ~Program();  // kills it where it still runs
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void send(std::string_view bytes);
  void close_input();
  void close_output();  // our end of its standard output
  void signal(int number);
  // Until its standard output (or the terminal) holds the text, or standard error does, or there
  // are n bytes of output; false: it ended or a minute passed.
  bool wait_for(std::string_view text, std::string_view after = "");  // behind the first `after`
  bool wait_for_error(std::string_view text);
  bool wait_for_bytes(size_t n);
  // Closes the input and waits for the end. Code -1: killed after a minute.
  Finished finish();

  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }

 private:
  using Clock = std::chrono::steady_clock;
  bool read_some(Clock::time_point deadline);  // false: nothing more to come, or too late
  bool wait_until(const std::function<bool()>& done);

  pid_t pid_ = -1;
  int in_ = -1, out_fd_ = -1, err_fd_ = -1;
  std::string out_, err_;
};

// All at once.
Finished run_program(const std::string& path, const std::vector<std::string>& arguments,
                     std::string_view input = "", const ProgramOptions& options = {});

}  // namespace plumb::test
