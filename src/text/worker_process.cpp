#include "text/worker_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

#include <cerrno>
#include <cstring>

#include "base/error.h"

extern char** environ;

namespace plumb {
namespace {

// Both ends close on exec, so that no other child of this program holds the worker's socket open.
void open_socket_pair(int (&ends)[2]) {
#ifdef SOCK_CLOEXEC
  const int type = SOCK_STREAM | SOCK_CLOEXEC;
#else
  const int type = SOCK_STREAM;
#endif
  if (socketpair(AF_UNIX, type, 0, ends) != 0) {
    fail_machine("[worker] cannot open a socket: {}", std::strerror(errno));
  }
  for (int end : ends) fcntl(end, F_SETFD, FD_CLOEXEC);
#ifdef SO_NOSIGPIPE
  int on = 1;
  setsockopt(ends[0], SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
}

// What the child starts with: the socket as standard input and output, no standard error (a crash
// is reported once, by us), a process group of its own (Ctrl-C at the terminal is not for it), and
// default signals.
struct SpawnSettings {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;

  explicit SpawnSettings(int socket) {
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, socket, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, socket, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
};

}  // namespace

WorkerProcess::WorkerProcess(const std::vector<std::string>& command) {
  int ends[2];
  open_socket_pair(ends);
  socket_ = ends[0];
  std::vector<char*> arguments;
  for (const std::string& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
  arguments.push_back(nullptr);
  const SpawnSettings settings(ends[1]);
  const int error = posix_spawn(&pid_, arguments[0], &settings.files, &settings.attributes,
                                arguments.data(), environ);
  close(ends[1]);
  if (error != 0) {
    close(socket_);
    fail_machine("[worker] cannot start {}: {}", command[0], std::strerror(error));
  }
}

WorkerProcess::~WorkerProcess() {
  finish();
  close(socket_);
}

int WorkerProcess::finish() {
  if (pid_ < 0) return 0;
  // Without effect on a process that has ended already: its own status stays.
  kill(pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return status;
}

bool WorkerProcess::is_idle() const {
  if (pid_ < 0) return false;
  pollfd poll_socket{.fd = socket_, .events = POLLIN, .revents = 0};
  return poll(&poll_socket, 1, 0) == 0;
}

WorkerProcess::Outcome WorkerProcess::wait_for(short events, Deadline deadline) const {
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return Outcome::timed_out;
    pollfd poll_socket{.fd = socket_, .events = events, .revents = 0};
    const int ready = poll(&poll_socket, 1, static_cast<int>(left.count()));
    if (ready > 0) return Outcome::done;
    if (ready < 0 && errno != EINTR) return Outcome::closed;
  }
}

WorkerProcess::Outcome WorkerProcess::send(std::span<const uint8_t> bytes, Deadline deadline) {
#ifdef MSG_NOSIGNAL
  const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
#else
  const int flags = MSG_DONTWAIT;
#endif
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), flags);
    if (sent >= 0) {
      bytes = bytes.subspan(static_cast<size_t>(sent));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
      if (const Outcome outcome = wait_for(POLLOUT, deadline); outcome != Outcome::done)
        return outcome;
    } else if (errno != EINTR) {
      return Outcome::closed;
    }
  }
  return Outcome::done;
}

WorkerProcess::Outcome WorkerProcess::receive(std::span<uint8_t> bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t received = recv(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (received > 0) {
      bytes = bytes.subspan(static_cast<size_t>(received));
    } else if (received == 0) {
      return Outcome::closed;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (const Outcome outcome = wait_for(POLLIN, deadline); outcome != Outcome::done)
        return outcome;
    } else if (errno != EINTR) {
      return Outcome::closed;
    }
  }
  return Outcome::done;
}

std::filesystem::path this_program() {
#ifdef __APPLE__
  char path[4096];
  uint32_t size = sizeof path;
  if (_NSGetExecutablePath(path, &size) != 0)
    fail_machine("[worker] cannot find this program's file");
  return path;
#else
  return "/proc/self/exe";
#endif
}

}  // namespace plumb
