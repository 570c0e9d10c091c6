#include "measure/device_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/error.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongestCommand = 200;
constexpr mode_t kEverybody = 0666;

// The file may be another user's (read-only to us, which is enough to lock it) or anything else
// that somebody put under its name in a folder open to all: only a plain file will do.
int open_lock_file(const fs::path& path) {
  constexpr int kFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  int fd = ::open(path.c_str(), O_RDWR | kFlags);
  if (fd < 0 && errno == ENOENT) {
    fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | kFlags, kEverybody);
    if (fd >= 0) ::fchmod(fd, kEverybody);  // whatever the umask
    if (fd < 0 && errno == EEXIST) fd = ::open(path.c_str(), O_RDWR | kFlags);  // just now
  }
  if (fd < 0 && errno == EACCES) fd = ::open(path.c_str(), O_RDONLY | kFlags);
  if (fd < 0)
    fail_machine("{}: expected a lock file that opens, got: {}", path.string(),
                 std::strerror(errno));
  struct stat status {};
  if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) return fd;
  ::close(fd);
  fail("{}: expected a plain file to lock, got something else", path.string());
}

// False: somebody else has it.
bool lock(int fd, bool wait) {
  for (;;) {
    if (::flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB) == 0) return true;
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) fail_machine("cannot lock: {}", std::strerror(errno));
  }
}

// "process 123: plumb bench ...", without a line's end.
std::string content(int fd) {
  char text[kLongestCommand + 64];
  const ssize_t n = ::pread(fd, text, sizeof text, 0);
  std::string_view line(text, static_cast<size_t>(n > 0 ? n : 0));
  return std::string(line.substr(0, line.find('\n')));
}

std::string process_tag(std::string_view process) {
  return "process " + std::string(process) + ": ";
}

std::string holder_of(const std::string& line) {
  const size_t end = line.find(": ");
  if (end == std::string::npos) return "another command";
  return line.substr(end + 2) + " (" + line.substr(0, end) + ")";
}

void sign(int fd, std::string_view command) {
  const std::string line = process_tag(std::to_string(::getpid())) +
                           std::string(command.substr(0, kLongestCommand)) + "\n";
  // Failures cost others the name, nothing else.
  if (::ftruncate(fd, 0) == 0) [[maybe_unused]]
    const ssize_t n = ::pwrite(fd, line.data(), line.size(), 0);
}

struct Lender {
  std::string process;
  int fd;
};

std::optional<Lender> lender() {
  const char* text = std::getenv(kLentLock);
  const char* colon = text ? std::strchr(text, ':') : nullptr;
  if (!colon || colon == text) return std::nullopt;
  return Lender{std::string(text, colon), std::atoi(colon + 1)};
}

// The descriptor came to us with the lock on it: nobody else's would be of this file and free.
bool is_lent(const Lender& lender, const fs::path& path) {
  struct stat ours {
  }, named{};
  return lender.fd > STDERR_FILENO && ::fstat(lender.fd, &ours) == 0 &&
         ::stat(path.c_str(), &named) == 0 && ours.st_dev == named.st_dev &&
         ours.st_ino == named.st_ino && ::flock(lender.fd, LOCK_EX | LOCK_NB) == 0;
}

}  // namespace

fs::path lock_folder() {
  const char* folder = std::getenv("PLUMB_LOCK_FOLDER");
  return folder && *folder ? folder : "/tmp";
}

DeviceLock::DeviceLock(std::string_view device, std::string_view command, const OnWait& on_wait,
                       const fs::path& folder) {
  const fs::path path = folder / fmt::format("plumb-{}.lock", device);
  const std::optional<Lender> parent = lender();
  if (parent && is_lent(*parent, path)) return;
  const int fd = open_lock_file(path);
  if (!lock(fd, false)) {
    const std::string line = content(fd);
    const std::string holder = holder_of(line);
    // Some programs close what their children should inherit: then the name must do.
    const bool is_parents = parent && line.starts_with(process_tag(parent->process));
    if (is_parents || !on_wait) ::close(fd);
    if (is_parents) return;
    if (!on_wait)
      fail("{}: expected to measure alone, got company: {}; --wait waits for its end", device,
           holder);
    on_wait(holder);
    lock(fd, true);
  }
  fd_ = fd;
  sign(fd, command);
}

void DeviceLock::lend() const {
  if (fd_ < 0) return;  // what was lent to us is theirs too
  ::fcntl(fd_, F_SETFD, 0);
  ::setenv(kLentLock, fmt::format("{}:{}", ::getpid(), fd_).c_str(), 1);
}

DeviceLock::~DeviceLock() {
  if (fd_ < 0) return;
  [[maybe_unused]] const int ignored = ::ftruncate(fd_, 0);
  ::close(fd_);
}

}  // namespace plumb
