// What the machine allows, read from made-up /proc and /sys trees: the shapes met in the wild.

#include "base/machine.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/temp_folder.h"

namespace plumb {
namespace {

constexpr int64_t kMiB = 1 << 20;

// A machine made of files. Processors are allowed to the process as `allowed` says.
class Fake {
 public:
  explicit Fake(std::string_view allowed) {
    root_.add("proc/self/status",
              fmt::format("Name:\tplumb\nCpus_allowed:\tff\nCpus_allowed_list:\t{}\n", allowed));
  }
  void processor(int number, std::string_view siblings, std::string_view speed_file = "",
                 int64_t speed = 0) {
    const std::string cpu = fmt::format("sys/devices/system/cpu/cpu{}/", number);
    root_.add(cpu + "topology/thread_siblings_list", fmt::format("{}\n", siblings));
    if (!speed_file.empty()) root_.add(cpu + std::string(speed_file), fmt::format("{}\n", speed));
  }
  void add(std::string_view name, std::string_view content) { root_.add(name, content); }
  int threads() const { return default_threads(root_.path()); }
  int64_t memory() const { return available_memory_bytes(root_.path()); }
  const std::filesystem::path& root() const { return root_.path(); }

 private:
  test::TempFolder root_;
};

// n equal cores, 8 MiB of available memory.
struct PlainMachine : Fake {
  explicit PlainMachine(int n) : Fake(fmt::format("0-{}", n - 1)) {
    for (int i = 0; i < n; ++i) processor(i, std::to_string(i));
    add("proc/meminfo",
        "MemTotal:       16000 kB\nMemFree:         1000 kB\nMemAvailable:    8192 kB\n");
  }
};

TEST(DefaultThreads, cores_count_once) {
  Fake m("0-7");
  for (int i = 0; i < 8; ++i) m.processor(i, fmt::format("{},{}", i % 4, i % 4 + 4));
  EXPECT_EQ(m.threads(), 4);
  EXPECT_EQ(usable_processors(m.root()), 8);
}

TEST(DefaultThreads, only_allowed_processors_count) {
  Fake m("1-2,5,9-10");
  for (int i = 0; i < 12; ++i) m.processor(i, fmt::format("{},{}", i % 6, i % 6 + 6));
  EXPECT_EQ(m.threads(), 5);  // cores 1, 2, 5, 3, 4
  EXPECT_EQ(usable_processors(m.root()), 5);
}

TEST(DefaultThreads, slow_cores_are_left_out_by_capacity) {
  Fake m("0-7");
  for (int i = 0; i < 8; ++i) m.processor(i, std::to_string(i), "cpu_capacity", i < 4 ? 414 : 1024);
  EXPECT_EQ(m.threads(), 4);
}

TEST(DefaultThreads, slow_cores_are_left_out_by_frequency_but_favoured_ones_do_not_count_alone) {
  Fake m("0-7");
  for (int i = 0; i < 8; ++i)
    m.processor(i, std::to_string(i), "cpufreq/cpuinfo_max_freq",
                i == 0  ? 5'400'000
                : i < 4 ? 5'100'000
                        : 3'300'000);
  EXPECT_EQ(m.threads(), 4);
}

TEST(DefaultThreads, intel_names_its_performance_cores) {
  Fake m("0-5");
  for (int i = 0; i < 4; ++i)
    m.processor(i, i < 2 ? "0-1" : "2-3", "cpufreq/cpuinfo_max_freq", 5'000'000);
  for (int i = 4; i < 6; ++i)
    m.processor(i, std::to_string(i), "cpufreq/cpuinfo_max_freq", 4'600'000);
  m.add("sys/devices/cpu_core/cpus", "0-3\n");
  EXPECT_EQ(m.threads(), 2);
}

TEST(DefaultThreads, where_only_slow_cores_are_allowed_they_are_used) {
  Fake m("4-5");
  for (int i = 4; i < 6; ++i) m.processor(i, std::to_string(i), "cpu_capacity", 414);
  m.add("sys/devices/cpu_core/cpus", "0-3\n");
  EXPECT_EQ(m.threads(), 2);
}

TEST(DefaultThreads, quota_of_cgroup_v2_own_or_above) {
  PlainMachine m(8);
  m.add("proc/self/cgroup", "0::/outer/inner\n");
  m.add("sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n");
  EXPECT_EQ(m.threads(), 8);
  m.add("sys/fs/cgroup/outer/cpu.max", "350000 100000\n");
  EXPECT_EQ(m.threads(), 3);
  m.add("sys/fs/cgroup/outer/inner/cpu.max", "50000 100000\n");
  EXPECT_EQ(m.threads(), 1);  // half a processor is still one thread
}

TEST(DefaultThreads, quota_of_cgroup_v1_seen_from_inside_a_container) {
  PlainMachine m(8);
  m.add("proc/self/cgroup", "5:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n");
  m.add("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
  m.add("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(m.threads(), 2);
  m.add("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(m.threads(), 8);
}

TEST(DefaultThreads, files_that_make_no_sense_are_survived) {
  Fake m("0-3");
  m.add("sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "");
  m.add("proc/self/cgroup", "nonsense\n0\n1:cpu\n:::\n0::\n");
  m.add("sys/fs/cgroup/cpu.max", "many few");
  EXPECT_EQ(m.threads(), 4);
  EXPECT_GE(Fake("").threads(), 1);
  EXPECT_GE(Fake("7-,x,-,999999999999999999999").threads(), 1);
}

TEST(AvailableMemory, is_what_the_kernel_says) {
  EXPECT_EQ(PlainMachine(1).memory(), 8 * kMiB);
}

TEST(AvailableMemory, cgroup_v2_limits_it_and_file_pages_can_be_dropped) {
  PlainMachine m(1);
  m.add("proc/self/cgroup", "0::/box\n");
  m.add("sys/fs/cgroup/box/memory.max", "max\n");
  m.add("sys/fs/cgroup/box/memory.current", fmt::format("{}\n", 3 * kMiB));
  EXPECT_EQ(m.memory(), 8 * kMiB);
  m.add("sys/fs/cgroup/box/memory.max", fmt::format("{}\n", 4 * kMiB));
  EXPECT_EQ(m.memory(), 1 * kMiB);
  m.add("sys/fs/cgroup/box/memory.stat",
        fmt::format("anon 5\nfile {0}\ninactive_anon 77\nactive_file {0}\ninactive_file {0}\n",
                    kMiB));
  EXPECT_EQ(m.memory(), 3 * kMiB);
  m.add("sys/fs/cgroup/box/memory.max", fmt::format("{}\n", kMiB / 2));
  EXPECT_EQ(m.memory(), 0);  // over its limit: nothing, not less
}

TEST(AvailableMemory, cgroup_v1_limits_it) {
  PlainMachine m(1);
  m.add("proc/self/cgroup", "9:memory:/user.slice\n");
  m.add("sys/fs/cgroup/memory/user.slice/memory.limit_in_bytes", "9223372036854771712\n");
  m.add("sys/fs/cgroup/memory/user.slice/memory.usage_in_bytes", fmt::format("{}\n", kMiB));
  EXPECT_EQ(m.memory(), 8 * kMiB);
  m.add("sys/fs/cgroup/memory/user.slice/memory.limit_in_bytes", fmt::format("{}\n", 6 * kMiB));
  EXPECT_EQ(m.memory(), 5 * kMiB);
  m.add("sys/fs/cgroup/memory/user.slice/memory.stat",
        fmt::format("inactive_file 1\ntotal_inactive_file {}\n", kMiB));
  EXPECT_EQ(m.memory(), 6 * kMiB);
}

TEST(Machine, this_one_answers) {
  EXPECT_GE(usable_processors(), default_threads());
  EXPECT_GE(default_threads(), 1);
  EXPECT_GT(available_memory_bytes(), kMiB);
}

}  // namespace
}  // namespace plumb
