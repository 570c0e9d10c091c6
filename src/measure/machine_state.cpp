#include "measure/machine_state.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

#include "base/processor.h"

namespace plumb {
namespace {

double seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

}  // namespace

StateMeter::StateMeter(std::filesystem::path root) : root_(std::move(root)), start_(now()) {}

// The first line of /proc/stat (proc(5)): cpu user nice system idle iowait irq softirq steal ...,
// in clock ticks since boot.
StateMeter::Times StateMeter::now() const {
  Times t;
  std::ifstream file(root_ / "proc/stat");
  std::string name;
  double ticks[8] = {};
  file >> name;
  for (double& n : ticks) file >> n;
  if (file && name == "cpu") {
    const auto per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
    for (const double n : ticks) t.total += n / per_second;
    t.steal = ticks[7] / per_second;
    t.busy = t.total - t.steal - (ticks[3] + ticks[4]) / per_second;
  }
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  t.own = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  t.switches = usage.ru_nivcsw;
  return t;
}

MachineState StateMeter::state() const {
  const Times end = now();
  MachineState s{.mhz = processor_mhz(root_),
                 .involuntary_switches = end.switches - start_.switches};
  double load[1];
  if (::getloadavg(load, 1) == 1) s.load_average = load[0];
  const double total = end.total - start_.total;
  if (total <= 0) return s;
  const double others = (end.busy - start_.busy) - (end.own - start_.own);
  s.others_share = std::clamp(others / total, 0.0, 1.0);
  s.steal_share = std::clamp((end.steal - start_.steal) / total, 0.0, 1.0);
  return s;
}

}  // namespace plumb
