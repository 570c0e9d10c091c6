#include "support/run_program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <thread>

namespace plumb::test {
namespace {

using Clock = std::chrono::steady_clock;

// An unnamed file: takes any amount of output without anybody reading meanwhile.
class Scratch {
 public:
  Scratch() : file_(std::tmpfile(), &std::fclose) {
    if (!file_) throw std::runtime_error("cannot make a temporary file");
  }
  int fd() const { return ::fileno(file_.get()); }
  void put(const std::string& content) {
    std::fwrite(content.data(), 1, content.size(), file_.get());
    std::fflush(file_.get());
    std::rewind(file_.get());
  }
  std::string content() const {
    std::string out;
    char buffer[4096];
    std::rewind(file_.get());
    for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, file_.get())) > 0;)
      out.append(buffer, n);
    return out;
  }

 private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

[[noreturn]] void become(const std::vector<std::string>& command, const ProgramOptions& options,
                         const int (&descriptors)[3]) {
  for (int i = 0; i < 3; ++i) ::dup2(descriptors[i], i);
  for (const std::string& variable : options.environment)
    ::putenv(const_cast<char*>(variable.c_str()));
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execv(words[0], words.data());
  ::_exit(127);
}

// Waits for the end, and makes one when time is up.
int wait_for(pid_t pid, Clock::time_point deadline) {
  for (int status;;) {
    if (::waitpid(pid, &status, WNOHANG) == pid) return status;
    if (Clock::now() > deadline) ::kill(pid, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace

ProgramResult run_program(const std::vector<std::string>& command, const ProgramOptions& options) {
  Scratch in, out, err;
  in.put(options.input);
  const auto start = Clock::now();
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("cannot fork");
  if (pid == 0) become(command, options, {in.fd(), out.fd(), err.fd()});
  const auto limit = std::chrono::duration<double>(options.timeout_seconds);
  const int status = wait_for(pid, start + std::chrono::duration_cast<Clock::duration>(limit));
  ProgramResult result;
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  result.out = out.content();
  result.err = err.content();
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return result;
}

}  // namespace plumb::test
