#pragma once
// Runs a command that a user gave, and takes what it prints.

#include <string>

namespace plumb {

// Through /bin/sh, with no input, in a process group of its own, which an interrupt, a hang-up or
// SIGTERM of this process ends too; its standard error is shown as it comes where `loud`, else only
// when it fails. Returns its standard output. Error (naming the command): it ended with another
// exit code than 0 or printed far too much. One at a time.
std::string run_shell_command(const std::string& command, bool loud = false);

}  // namespace plumb
