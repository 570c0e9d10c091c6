#include "measure/shell_command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/descriptor.h"
#include "base/error.h"
#include "base/text.h"

extern char** environ;

namespace plumb {
namespace {

constexpr size_t kMostOutput = size_t{64} << 20;
constexpr size_t kLastWords = 400;

constexpr int kEndingSignals[] = {SIGINT, SIGTERM, SIGHUP};

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

// While it lives, what ends this process ends the process group of the command first.
class Group {
 public:
  Group() {
    struct sigaction action {};
    action.sa_handler = on_signal;
    for (size_t i = 0; i < std::size(kEndingSignals); ++i) {
      ::sigaction(kEndingSignals[i], nullptr, &before_[i]);
      if (before_[i].sa_handler != SIG_IGN) ::sigaction(kEndingSignals[i], &action, nullptr);
    }
  }
  ~Group() {
    for (size_t i = 0; i < std::size(kEndingSignals); ++i)
      ::sigaction(kEndingSignals[i], &before_[i], nullptr);
    id_ = 0;
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  static void set(pid_t id) { id_ = id; }

 private:
  // The signal comes again, to whom it would have come without us.
  static void on_signal(int number) {
    if (const pid_t group = id_; group > 0) ::kill(-group, SIGTERM);
    for (size_t i = 0; i < std::size(kEndingSignals); ++i)
      if (kEndingSignals[i] == number) ::sigaction(number, &before_[i], nullptr);
    ::raise(number);
  }

  static std::atomic<pid_t> id_;
  static struct sigaction before_[std::size(kEndingSignals)];
};
std::atomic<pid_t> Group::id_{0};
struct sigaction Group::before_[std::size(kEndingSignals)];

// A file without a name; closed with its stream.
struct Closer {
  void operator()(FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<FILE, Closer>;

// The signals that plumb ignores end others, as they expect.
pid_t spawn(const std::string& command, int out, int err) {
  const sigset_t ending = set_of({SIGINT, SIGTERM, SIGHUP}), usual = set_of({SIGPIPE, SIGXFSZ});
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &ending, &before);  // until the group is known
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setsigmask(&attributes, &before);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  if (err >= 0) posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
  const char* words[] = {"sh", "-c", command.c_str(), nullptr};
  pid_t pid = -1;
  const int problem =
      ::posix_spawn(&pid, "/bin/sh", &files, &attributes, const_cast<char**>(words), environ);
  if (problem == 0) Group::set(pid);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
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
  Group::set(0);
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
  const Group group;
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
