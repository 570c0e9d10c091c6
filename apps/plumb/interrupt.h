#pragma once
// Ctrl-C. It ends the program at once with exit code 130, except while an Interruptible lives: then
// the first one only raises a flag, and the second ends the program. However it is ended, by
// SIGTERM and SIGHUP too, it leaves no unfinished file.

#include <atomic>

namespace plumb {

// Once, before threads start. Error (machine): no pipe to be had.
void install_interrupt_handler();

class Interruptible {
 public:
  Interruptible();
  ~Interruptible();
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

  bool interrupted() const { return flag(); }
  const std::atomic<bool>& flag() const;
  void lower();  // the Ctrl-C has had its effect
  // Until fd can be read (or is closed): true. False: interrupted.
  bool wait_for_input(int fd) const;
};

}  // namespace plumb
