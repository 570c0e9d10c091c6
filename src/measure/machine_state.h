#pragma once
// What else went on while something was measured: a result of a busy machine says so.

#include <chrono>
#include <filesystem>
#include <optional>

namespace plumb {

// Of the processors, taken by others: more than that, and a result is not the machine's best.
inline constexpr double kBusy = 0.05;

struct MachineState {
  double load_average = 0;  // of the last minute
  // Of the time of all processors: used by other processes, and kept back by the hypervisor. None
  // where the system does not tell.
  std::optional<double> others_share, steal_share;
  std::optional<double> mhz;         // at the end
  int64_t involuntary_switches = 0;  // of our threads: how often somebody else got their processor
};

// Looks at the machine when made and again when asked.
class StateMeter {
 public:
  explicit StateMeter(std::filesystem::path root = "/");
  MachineState state() const;

 private:
  struct Times {
    double busy = 0, steal = 0, total = 0;  // processor seconds of the whole machine
    double own = 0;                         // and of this process
    int64_t switches = 0;
  };
  Times now() const;

  std::filesystem::path root_;
  Times start_;
};

}  // namespace plumb
