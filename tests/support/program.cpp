#include "support/program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __APPLE__
#include <util.h>
#else
#include <pty.h>
#endif

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <utility>

namespace plumb::test {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);

struct Pipe {
  int read = -1, write = -1;
  Pipe() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    read = fds[0];
    write = fds[1];
  }
};

void close_fd(int& fd) {
  if (fd >= 0) ::close(std::exchange(fd, -1));
}

[[noreturn]] void become(const std::string& path, const std::vector<std::string>& arguments,
                         const ProgramOptions& options) {
  for (const auto& [name, value] : options.environment)
    value.empty() ? ::unsetenv(name.c_str()) : ::setenv(name.c_str(), value.c_str(), 1);
  if (options.stdout_file == "-") ::close(STDOUT_FILENO);
  if (!options.stdout_file.empty() && options.stdout_file != "-")
    ::dup2(::open(options.stdout_file.c_str(), O_WRONLY), STDOUT_FILENO);
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGPIPE, SIG_DFL);
  std::vector<char*> argv{const_cast<char*>(path.c_str())};
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  ::execv(path.c_str(), argv.data());
  ::_exit(127);
}

}  // namespace

bool has_pseudo_terminals() {
  int ours = -1, theirs = -1;
  if (::openpty(&ours, &theirs, nullptr, nullptr, nullptr) != 0) return false;
  ::close(ours);
  ::close(theirs);
  return true;
}

Program::Program(const std::string& path, const std::vector<std::string>& arguments,
                 const ProgramOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  if (options.terminal) {
    pid_ = ::forkpty(&out_fd_, nullptr, nullptr, nullptr);
    if (pid_ == 0) become(path, arguments, options);
    in_ = ::fcntl(out_fd_, F_DUPFD_CLOEXEC, 0);
    return;
  }
  Pipe in, out, err;
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(in.read, STDIN_FILENO);
    ::dup2(out.write, STDOUT_FILENO);
    ::dup2(err.write, STDERR_FILENO);
    become(path, arguments, options);
  }
  for (int fd : {in.read, out.write, err.write}) ::close(fd);
  in_ = in.write;
  out_fd_ = out.read;
  err_fd_ = err.read;
}

Program::~Program() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  for (int* fd : {&in_, &out_fd_, &err_fd_}) close_fd(*fd);
}

void Program::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(in_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

void Program::close_input() {
  close_fd(in_);
}
void Program::close_output() {
  close_fd(out_fd_);
}
void Program::signal(int number) {
  ::kill(pid_, number);
}

bool Program::read_some(Clock::time_point deadline) {
  pollfd fds[] = {{out_fd_, POLLIN, 0}, {err_fd_, POLLIN, 0}};  // poll skips negative ones
  if (out_fd_ < 0 && err_fd_ < 0) return false;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  if (left.count() <= 0) return false;
  const int ready = ::poll(fds, 2, static_cast<int>(left.count()));
  if (ready < 0) return errno == EINTR;
  char piece[1 << 16];
  const auto take = [&](int& fd, std::string& into) {
    const ssize_t n = ::read(fd, piece, sizeof piece);
    if (n > 0) into.append(piece, static_cast<size_t>(n));
    if (n == 0 || (n < 0 && errno != EINTR)) close_fd(fd);  // a terminal that was left gives EIO
  };
  if (fds[0].revents) take(out_fd_, out_);
  if (fds[1].revents) take(err_fd_, err_);
  return ready > 0;
}

bool Program::wait_until(const std::function<bool()>& done) {
  const auto deadline = Clock::now() + kPatience;
  while (!done())
    if (!read_some(deadline)) return false;
  return true;
}

bool Program::wait_for(std::string_view text, std::string_view after) {
  return wait_until([&] {
    const size_t begin = out_.find(after);
    return begin != std::string::npos && out_.find(text, begin + after.size()) != std::string::npos;
  });
}
bool Program::wait_for_error(std::string_view text) {
  return wait_until([&] { return err_.find(text) != std::string::npos; });
}
bool Program::wait_for_bytes(size_t n) {
  return wait_until([&] { return out_.size() >= n; });
}

Finished Program::finish() {
  close_input();
  const auto deadline = Clock::now() + kPatience;
  while (read_some(deadline)) continue;
  int status = 0;
  const bool in_time = Clock::now() < deadline;
  if (!in_time) ::kill(pid_, SIGKILL);
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return {in_time ? code : -1, out_, err_};
}

Finished run_program(const std::string& path, const std::vector<std::string>& arguments,
                     std::string_view input, const ProgramOptions& options) {
  Program program(path, arguments, options);
  program.send(input);
  return program.finish();
}

}  // namespace plumb::test
