#include "base/machine.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace plumb {
namespace {

namespace fs = std::filesystem;

// A core slower than this share of the fastest is left out: every step waits for the slowest
// thread. Favoured cores of one kind differ by up to a tenth, efficiency cores reach at most 0.65
// to 0.8 of the others (Intel's are told apart by name instead).
constexpr double kSlowCore = 0.7;

std::optional<std::string> content(const fs::path& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::optional<int64_t> parse_integer(std::string_view s) {
  int64_t value;
  if (std::from_chars(s.data(), s.data() + s.size(), value).ec != std::errc()) return std::nullopt;
  return value;
}

std::optional<int64_t> integer_in(const fs::path& path) {
  return parse_integer(content(path).value_or(""));
}

// "Name:   value" or "name value" lines: the value after the name.
std::optional<std::string> field(const fs::path& path, std::string_view name) {
  std::istringstream lines(content(path).value_or(""));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name) || line.find_first_of(": \t", name.size()) != name.size()) continue;
    const size_t value = line.find_first_not_of(": \t", name.size());
    return value == std::string::npos ? "" : line.substr(value);
  }
  return std::nullopt;
}

// "0-3,8,10-11", as the kernel writes sets of processors.
std::vector<int> parse_set(std::string_view s) {
  std::vector<int> set;
  while (!s.empty()) {
    const std::string_view range = s.substr(0, s.find(','));
    s.remove_prefix(std::min(s.size(), range.size() + 1));
    const auto first = parse_integer(range);
    const size_t dash = range.find('-');
    const auto last = dash == range.npos ? first : parse_integer(range.substr(dash + 1));
    for (int64_t i = first.value_or(0); first && last && i <= std::min<int64_t>(*last, 1 << 16);
         ++i)
      set.push_back(static_cast<int>(i));
  }
  return set;
}

std::vector<int> allowed_processors(const fs::path& root) {
  return parse_set(field(root / "proc/self/status", "Cpus_allowed_list").value_or(""));
}

// The control groups this process is in, from its own up to the outermost that is visible, as
// folders that hold files of `controller`: cgroup v2 keeps all controllers in one tree, v1 has a
// tree for each.
std::vector<fs::path> control_groups(const fs::path& root, std::string_view controller) {
  std::vector<fs::path> groups;
  std::istringstream lines(content(root / "proc/self/cgroup").value_or(""));
  for (std::string line;
       std::getline(lines, line);) {  // "ID:controller,controller:/path", v2: "0::/path"
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string names = fmt::format(",{},", line.substr(first + 1, second - first - 1));
    const bool v2 = names == ",,";
    if (!v2 && names.find(fmt::format(",{},", controller)) == names.npos) continue;
    const fs::path tree = root / "sys/fs/cgroup" / (v2 ? "" : controller);
    for (fs::path at = fs::path(line.substr(second + 1)).relative_path(); !at.empty();
         at = at.parent_path())
      groups.push_back(tree / at);
    groups.push_back(tree);
  }
  return groups;
}

// Processors' worth of time per second that a group may use: v2 "cpu.max" holds "quota period" or
// "max period".
std::optional<double> processor_quota(const fs::path& group) {
  std::optional<int64_t> quota, period;
  if (const auto v2 = content(group / "cpu.max")) {
    quota = parse_integer(*v2);
    period = parse_integer(std::string_view(*v2).substr(std::min(v2->size(), v2->find(' ') + 1)));
  } else {
    quota = integer_in(group / "cpu.cfs_quota_us");  // -1: none
    period = integer_in(group / "cpu.cfs_period_us");
  }
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

// What a group's limit leaves. File pages count as used but can be dropped.
std::optional<int64_t> memory_left(const fs::path& group) {
  const bool v2 = fs::exists(group / "memory.max");
  const auto limit =
      integer_in(group / (v2 ? "memory.max" : "memory.limit_in_bytes"));  // "max": no limit
  const auto used = integer_in(group / (v2 ? "memory.current" : "memory.usage_in_bytes"));
  if (!limit || !used) return std::nullopt;
  int64_t droppable = 0;
  for (const char* list : {"active_file", "inactive_file"}) {
    const std::string name = v2 ? list : std::string("total_") + list;
    droppable += parse_integer(field(group / "memory.stat", name).value_or("")).value_or(0);
  }
  return std::max<int64_t>(0, *limit - std::max<int64_t>(0, *used - droppable));
}

// The speed of a processor in some unit that is the same for all of one machine.
int64_t speed(const fs::path& cpu) {
  if (const auto capacity = integer_in(cpu / "cpu_capacity")) return *capacity;
  return integer_in(cpu / "cpufreq/cpuinfo_max_freq").value_or(0);
}

// Speeds of the physical cores of a set of processors.
std::vector<int64_t> core_speeds(const fs::path& sys, const std::vector<int>& processors) {
  std::map<std::string, int64_t> cores;  // by the set of processors that share the core
  for (const int p : processors) {
    const fs::path cpu = sys / "cpu" / ("cpu" + std::to_string(p));
    const std::string core =
        content(cpu / "topology/thread_siblings_list").value_or(std::to_string(p));
    cores[core] = std::max(cores[core], speed(cpu));
  }
  std::vector<int64_t> speeds;
  for (const auto& [core, s] : cores) speeds.push_back(s);
  return speeds;
}

}  // namespace

int usable_processors(const fs::path& root) {
  const auto allowed = static_cast<int>(allowed_processors(root).size());
  return allowed > 0 ? allowed : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int default_threads(const fs::path& root) {
  std::vector<int> allowed = allowed_processors(root);
  if (allowed.empty()) return usable_processors(root);
  const fs::path devices = root / "sys/devices";
  const std::vector<int> fast =
      parse_set(content(devices / "cpu_core/cpus").value_or(""));  // Intel's performance cores
  if (std::ranges::find_first_of(allowed, fast) != allowed.end())
    std::erase_if(allowed, [&](int p) { return std::ranges::find(fast, p) == fast.end(); });

  const std::vector<int64_t> speeds = core_speeds(devices / "system", allowed);
  const auto fastest = static_cast<double>(*std::ranges::max_element(speeds));
  double n = static_cast<double>(std::ranges::count_if(
      speeds, [&](int64_t s) { return static_cast<double>(s) >= kSlowCore * fastest; }));
  for (const fs::path& group : control_groups(root, "cpu"))
    n = std::min(n, processor_quota(group).value_or(n));
  return std::max(1, static_cast<int>(n));
}

int64_t available_memory_bytes(const fs::path& root) {
  const auto kib = parse_integer(field(root / "proc/meminfo", "MemAvailable").value_or(""));
  int64_t available = kib ? *kib * 1024 : int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  for (const fs::path& group : control_groups(root, "memory"))
    available = std::min(available, memory_left(group).value_or(available));
  return available;
}

}  // namespace plumb
