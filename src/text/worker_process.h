#pragma once
// A child process spoken to over one socket, its standard input and output: started without
// touching signals or threads of this program, bounded by a deadline in every exchange, and never
// left behind.

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace plumb {

class WorkerProcess {
 public:
  using Deadline = std::chrono::steady_clock::time_point;
  enum class Outcome { done, closed, timed_out };

  // Error (machine) when the program cannot be started.
  explicit WorkerProcess(const std::vector<std::string>& command);
  ~WorkerProcess();  // ends it
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  // Whether it still waits for a request; false once it has ended or said something unasked.
  bool is_idle() const;

  // All of the bytes, or why not: the worker closed its end, or the deadline passed.
  Outcome send(std::span<const uint8_t> bytes, Deadline deadline);
  Outcome receive(std::span<uint8_t> bytes, Deadline deadline);

  // Ends the process where it has not ended by itself, and returns its wait status.
  int finish();

 private:
  Outcome wait_for(short events, Deadline deadline) const;
  pid_t pid_ = -1;
  int socket_ = -1;
};

// The file this process runs.
std::filesystem::path this_program();

}  // namespace plumb
