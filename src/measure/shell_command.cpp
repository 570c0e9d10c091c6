#include "measure/shell_command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/text.h"

extern char** environ;

namespace plumb {
namespace {

constexpr size_t kMostOutput = size_t{64} << 20;
constexpr size_t kLastWords = 400;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {
    if (fd < 0) fail_machine("cannot run commands: {}", std::strerror(errno));
  }
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

// A file without a name; closed with its stream.
struct Closer {
  void operator()(FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<FILE, Closer>;

pid_t spawn(const std::string& command, int out, int err) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  if (err >= 0) posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
  const char* words[] = {"sh", "-c", command.c_str(), nullptr};
  pid_t pid = -1;
  const int problem =
      ::posix_spawn(&pid, "/bin/sh", &files, nullptr, const_cast<char**>(words), environ);
  posix_spawn_file_actions_destroy(&files);
  if (problem != 0) fail_machine("cannot run /bin/sh: {}", std::strerror(problem));
  return pid;
}

// Until the end, or until it is too much.
std::string read_all(int fd) {
  std::string all;
  char piece[65536];
  while (all.size() <= kMostOutput) {
    const ssize_t n = ::read(fd, piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    all.append(piece, static_cast<size_t>(n));
  }
  return all;
}

int exit_code(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// The end of what it said, on one line.
std::string last_words(FILE* errors) {
  const long size = std::fseek(errors, 0, SEEK_END) == 0 ? std::ftell(errors) : 0;
  const auto n = std::min(static_cast<size_t>(std::max(0L, size)), kLastWords);
  std::string text(n, '\0');
  std::fseek(errors, -static_cast<long>(n), SEEK_END);
  text.resize(std::fread(text.data(), 1, n, errors));
  while (text.ends_with('\n')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

}  // namespace

std::string run_shell_command(const std::string& command, bool loud) {
  int ends[2];
  if (::pipe(ends) != 0) fail_machine("cannot make a pipe: {}", std::strerror(errno));
  Descriptor read_end(ends[0]), write_end(ends[1]);
  for (const int end : ends) ::fcntl(end, F_SETFD, FD_CLOEXEC);
  const File errors(std::tmpfile());
  if (!errors) fail_machine("cannot make a temporary file: {}", std::strerror(errno));
  const pid_t pid = spawn(command, write_end.get(), loud ? -1 : ::fileno(errors.get()));
  write_end.close();
  std::string output = read_all(read_end.get());
  read_end.close();  // who writes on is ended by SIGPIPE
  const int code = exit_code(pid);
  if (output.size() > kMostOutput)
    fail("{}: expected at most {} of output, got more", plumb::quoted(command, 200),
         human_bytes(kMostOutput));
  if (code != 0)
    fail("{}: expected exit code 0, got {}: {}", plumb::quoted(command, 200), code,
         plumb::quoted(last_words(errors.get()), kLastWords));
  return output;
}

}  // namespace plumb
