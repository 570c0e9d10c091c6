#pragma once
// Runs a program to its end and keeps what it printed.

#include <string>
#include <vector>

namespace plumb::test {

struct ProgramResult {
  int exit_code = -1;  // -1: it did not exit by itself
  int signal = 0;      // that ended it; SIGKILL where it took too long
  std::string out, err;
  double seconds = 0;
};

struct ProgramOptions {
  std::string input;                     // standard input
  std::vector<std::string> environment;  // "NAME=value", added to ours
  double timeout_seconds = 60;
};

ProgramResult run_program(const std::vector<std::string>& command,
                          const ProgramOptions& options = {});

}  // namespace plumb::test
