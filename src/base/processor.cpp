#include "base/processor.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <charconv>
#include <fstream>
#include <string_view>

namespace plumb {
namespace {

namespace fs = std::filesystem;

constexpr int kMostCaches = 16;

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

int64_t integer(std::string_view s) {
  int64_t value = 0;
  std::from_chars(s.data(), s.data() + s.size(), value);
  return value;
}

// "32K", "8192K", "1M"
int64_t size_in_bytes(const std::string& s) {
  const int64_t n = integer(s);
  if (s.ends_with('K')) return n << 10;
  if (s.ends_with('M')) return n << 20;
  return n;
}

// "0-3,8" -> 5
int count_of(std::string_view set) {
  int64_t n = 0;
  while (!set.empty()) {
    const std::string_view range = set.substr(0, set.find(','));
    set.remove_prefix(std::min(set.size(), range.size() + 1));
    const size_t dash = range.find('-');
    n += dash == range.npos ? 1 : integer(range.substr(dash + 1)) - integer(range) + 1;
  }
  return static_cast<int>(n);
}

// f(name, value) for every line "name   : value" of /proc/cpuinfo.
void each_fact(const fs::path& root, const auto& f) {
  std::ifstream file(root / "proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const size_t value = line.find_first_not_of(" \t", colon + 1);
    f(std::string_view(line).substr(0, line.find_last_not_of(" \t", colon - 1) + 1),
      value == std::string::npos ? std::string() : line.substr(value));
  }
}

std::string machine_type() {
  utsname name{};
  return ::uname(&name) == 0 && name.machine[0] ? name.machine : "unknown processor";
}

}  // namespace

std::string processor_name(const fs::path& root) {
  std::string name, implementer, part;
  each_fact(root, [&](std::string_view fact, const std::string& value) {
    if (name.empty() && fact == "model name") name = value;
    if (implementer.empty() && fact == "CPU implementer") implementer = value;
    if (part.empty() && fact == "CPU part") part = value;
  });
  if (!name.empty()) return name;
  if (!part.empty())
    return fmt::format("{} implementer {} part {}", machine_type(), implementer, part);
  return machine_type();
}

std::vector<Cache> processor_caches(const fs::path& root) {
  std::vector<Cache> caches;
  for (int i = 0; i < kMostCaches; ++i) {
    const fs::path at = root / "sys/devices/system/cpu/cpu0/cache" / fmt::format("index{}", i);
    const int64_t bytes = size_in_bytes(first_line(at / "size"));
    if (bytes <= 0) continue;
    caches.push_back({static_cast<int>(integer(first_line(at / "level"))), first_line(at / "type"),
                      bytes, count_of(first_line(at / "shared_cpu_list"))});
  }
  return caches;
}

std::optional<double> processor_mhz(const fs::path& root) {
  double sum = 0;
  int n = 0;
  each_fact(root, [&](std::string_view fact, const std::string& value) {
    if (fact != "cpu MHz") return;
    sum += std::strtod(value.c_str(), nullptr);
    ++n;
  });
  if (n > 0 && sum > 0) return sum / n;
  const int64_t khz =
      integer(first_line(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"));
  if (khz > 0) return static_cast<double>(khz) / 1e3;
  return std::nullopt;
}

}  // namespace plumb
