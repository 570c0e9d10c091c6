#pragma once
// Files: a read-only mapping, and whole-file reads and writes that never leave half a file behind.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace plumb {

// A file mapped read-only and shared. The mapping lives as long as the object; spans into it must
// not outlive it.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);  // Error names the path and the reason
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  const std::filesystem::path& path() const { return path_; }
  std::span<const uint8_t> bytes() const { return {data_, size_}; }

  // Tells the system that these bytes (whole pages inside) are not needed in memory any more;
  // reading them again is valid.
  void release(std::span<const uint8_t> bytes) const;

 private:
  std::filesystem::path path_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// The whole file ("-" is standard input), refused with an Error above max_bytes.
std::string read_file(const std::filesystem::path& path, int64_t max_bytes = int64_t{1} << 30);

// A file that appears under its name only when it is complete: written beside it and renamed by
// commit(), removed otherwise. Devices and pipes are written as they are. Error: it cannot be
// created (bad input), written or renamed (machine).
class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::string_view bytes);
  void commit();

 private:
  std::filesystem::path path_, written_;  // the same for a device
  int fd_;
};

// Those of this process that are not committed: for handlers of signals that end it.
void remove_unfinished_files() noexcept;

// The same in one go: the name holds the old content or the new, never a part.
void write_file(const std::filesystem::path& path, std::string_view content);

}  // namespace plumb
