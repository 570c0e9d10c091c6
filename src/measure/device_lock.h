#pragma once
// One measurement at a time on each device of the machine: two would share its memory bus and both
// be wrong. The lock is the kernel's (flock) on a file that everybody can open, so that it ends
// with its process whatever happens to it; what stands in the file only tells others who measures.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace plumb {

// Where the locks are: $PLUMB_LOCK_FOLDER, else /tmp, which all users of the machine share.
std::filesystem::path lock_folder();

class DeviceLock {
 public:
  // Who holds it, as it stands in the file: "plumb bench -m x.gguf (process 123)".
  using OnWait = std::function<void(const std::string& holder)>;

  // Of a device ("cpu"), for a command as the user typed it. Where another process holds it: Error
  // with its name or, where on_wait is given, that is called once and the lock waited for. A
  // process that the holder has lent the lock to shares it instead. Error: the file cannot be
  // opened.
  DeviceLock(std::string_view device, std::string_view command, const OnWait& on_wait = {},
             const std::filesystem::path& folder = lock_folder());
  ~DeviceLock();
  DeviceLock(const DeviceLock&) = delete;
  DeviceLock& operator=(const DeviceLock&) = delete;

  // Processes started from now on measure on our behalf: they hold the open file too, so that the
  // lock lasts as long as any of them. The environment tells them.
  void lend() const;
  bool is_inherited() const { return fd_ < 0; }

 private:
  int fd_ = -1;  // -1: a parent holds the lock
};

// "PROCESS:DESCRIPTOR" of who lent it.
inline constexpr const char* kLentLock = "PLUMB_LOCK_LENT_BY";

}  // namespace plumb
