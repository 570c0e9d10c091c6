#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/descriptor.h"
#include "base/error.h"

namespace plumb {
namespace {

std::string reason() {
  return std::strerror(errno);
}

std::string_view kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a pipe must not block
  if (fd.get() < 0) fail("{}: expected a file that opens, got: {}", path.string(), reason());
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) fail("{}: cannot stat: {}", path.string(), reason());
  if (!S_ISREG(st.st_mode))
    fail("{}: expected a regular file, got {}", path.string(), kind_of(st.st_mode));
  size_ = static_cast<size_t>(st.st_size);
  if (size_ == 0) return;  // an empty file has an empty view
  void* p = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (p == MAP_FAILED) fail_machine("{}: cannot map {} bytes: {}", path.string(), size_, reason());
  data_ = static_cast<const uint8_t*>(p);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<uint8_t*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void MappedFile::release(std::span<const uint8_t> bytes) const {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<uintptr_t>(bytes.data()) + page - 1) / page * page;
  const auto end = (reinterpret_cast<uintptr_t>(bytes.data()) + bytes.size()) / page * page;
  if (end > begin) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

std::string read_file(const std::filesystem::path& path, int64_t max_bytes) {
  const bool is_stdin = path == "-";
  Descriptor opened(is_stdin ? -1 : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const int fd = is_stdin ? STDIN_FILENO : opened.get();
  if (fd < 0) fail("{}: expected a file that opens, got: {}", path.string(), reason());
  std::string content;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n == 0) return content;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("{}: expected a file that can be read, got: {}", path.string(), reason());
    if (static_cast<int64_t>(content.size()) + n > max_bytes)
      fail("{}: expected at most {} bytes, got more", path.string(), max_bytes);
    content.append(buffer, static_cast<size_t>(n));
  }
}

namespace {

// Names of unfinished files, for whoever may not allocate or wait.
std::array<std::atomic<char*>, 16> g_unfinished;

void remember_unfinished(const char* name) {
  char* copy = ::strdup(name);
  for (std::atomic<char*>& slot : g_unfinished) {
    char* free = nullptr;
    if (copy && slot.compare_exchange_strong(free, copy)) return;
  }
  std::free(copy);
}

void forget_unfinished(std::string_view name) {
  for (std::atomic<char*>& slot : g_unfinished)
    if (char* known = slot; known && name == known) return std::free(slot.exchange(nullptr));
}

}  // namespace

void remove_unfinished_files() noexcept {
  for (const std::atomic<char*>& slot : g_unfinished)
    if (const char* name = slot) ::unlink(name);
}

OutputFile::OutputFile(const std::filesystem::path& path) : path_(path), written_(path) {
  std::error_code ignored;
  const auto type = std::filesystem::status(path, ignored).type();
  using enum std::filesystem::file_type;
  if (path.empty()) fail("file to write: expected a name, got \"\"");
  if (type == directory)
    fail("{}: expected a file that can be written, got a directory", path.string());
  if (type == regular || type == not_found) written_ += fmt::format(".part-{}", ::getpid());
  fd_ = ::open(written_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) fail("{}: expected a file that can be written, got: {}", path.string(), reason());
  if (written_ != path_) remember_unfinished(written_.c_str());
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
  if (written_ == path_) return;
  ::unlink(written_.c_str());
  forget_unfinished(written_.native());
}

void OutputFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_machine("{}: cannot write: {}", path_.string(), reason());
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

void OutputFile::commit() {
  if (::close(std::exchange(fd_, -1)) != 0)
    fail_machine("{}: cannot close: {}", path_.string(), reason());
  if (written_ == path_) return;
  if (::rename(written_.c_str(), path_.c_str()) != 0)
    fail_machine("{}: cannot rename into place: {}", path_.string(), reason());
  forget_unfinished(written_.native());
  written_ = path_;
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  OutputFile file(path);
  file.write(content);
  file.commit();
}

}  // namespace plumb
