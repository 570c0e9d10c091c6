#include "measure/machine_state.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>

#include "base/file.h"
#include "support/temp_folder.h"

namespace plumb::test {
namespace {

double own_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// A machine that says what a test wants it to have done, in seconds since it started.
class MachineStateTest : public ::testing::Test {
 protected:
  void tell(double user, double idle, double steal) {
    const auto ticks = [](double seconds) {
      return std::to_string(std::lround(seconds * static_cast<double>(::sysconf(_SC_CLK_TCK))));
    };
    std::filesystem::create_directories(folder_.path() / "proc");
    write_file(folder_.path() / "proc/stat",
               "cpu  " + ticks(user) + " 0 0 " + ticks(idle) + " 0 0 0 " + ticks(steal) + " 0 0\n");
  }
  StateMeter meter() const { return StateMeter(folder_.path()); }
  TempFolder folder_;
};

TEST_F(MachineStateTest, OthersAreThoseWhoAreNotWe) {
  tell(100, 200, 5);
  const double before = own_seconds();
  const StateMeter meter = this->meter();
  while (own_seconds() < before + 0.4) continue;
  tell(101, 200.9, 5.1);
  const MachineState state = meter.state();
  const double own = own_seconds() - before;
  ASSERT_TRUE(state.others_share && state.steal_share);
  EXPECT_NEAR(*state.others_share, (1 - own) / 2, 0.02) << "of 2 processor seconds";
  EXPECT_NEAR(*state.steal_share, 0.05, 1e-6);
}

TEST_F(MachineStateTest, WhatIsNotToldIsNotKnown) {
  const MachineState state = meter().state();
  EXPECT_FALSE(state.others_share || state.steal_share);
  tell(1, 1, 0);
  EXPECT_FALSE(meter().state().others_share) << "no time has passed";
}

}  // namespace
}  // namespace plumb::test
