#pragma once
// What all commands that measure have in common: they do it alone.

#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "measure/device_lock.h"

namespace plumb {

class Measuring {
 public:
  // For a command with the words it was given, by which others will know it.
  Measuring(std::string_view command, const std::vector<std::string>& words);

  void attach(Arguments& arguments);  // --wait
  // From now on until the end. Error: another command measures, unless --wait.
  void start();
  // Commands started from now on measure on our behalf.
  void lend() const { lock_->lend(); }

 private:
  std::string command_;
  bool wait_ = false;
  std::unique_ptr<DeviceLock> lock_;
};

}  // namespace plumb
