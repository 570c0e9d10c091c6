#include "interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/error.h"
#include "base/file.h"

namespace plumb {
namespace {

// Signals arrive on any thread and at any moment, between a look at the flag and a read too: so the
// handler also writes to a pipe, which poll() sees.
std::atomic<bool> g_interruptible{false};
std::atomic<bool> g_interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);
int g_pipe[2] = {-1, -1};

void on_interrupt(int) {
  if (!g_interruptible || g_interrupted.exchange(true)) {
    remove_unfinished_files();
    ::_exit(130);
  }
  const int saved = errno;
  [[maybe_unused]] const auto n = ::write(g_pipe[1], "", 1);
  errno = saved;
}

// Ends the program as the signal would have.
void on_end(int signal) {
  remove_unfinished_files();
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

}  // namespace

void install_interrupt_handler() {
  if (::pipe(g_pipe) != 0) fail_machine("cannot make a pipe: {}", std::strerror(errno));
  for (const int fd : g_pipe) {
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  action.sa_handler = on_end;
  for (const int signal : {SIGTERM, SIGHUP}) {
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler == SIG_DFL) ::sigaction(signal, &action, nullptr);  // not under nohup
  }
}

Interruptible::Interruptible() {
  CHECK(!g_interruptible, "one at a time");
  lower();
  g_interruptible = true;
}

Interruptible::~Interruptible() {
  g_interruptible = false;
}

const std::atomic<bool>& Interruptible::flag() const {
  return g_interrupted;
}

void Interruptible::lower() {
  char byte;
  while (::read(g_pipe[0], &byte, 1) > 0) continue;
  g_interrupted = false;
}

bool Interruptible::wait_for_input(int fd) const {
  pollfd fds[] = {{fd, POLLIN, 0}, {g_pipe[0], POLLIN, 0}};
  while (!interrupted()) {
    if (::poll(fds, 2, -1) < 0 && errno != EINTR)
      fail_machine("cannot wait for input: {}", std::strerror(errno));
    if (!interrupted() && (fds[0].revents || fds[1].revents)) return fds[0].revents != 0;
  }
  return false;
}

}  // namespace plumb
