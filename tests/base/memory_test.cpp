// Anonymous memory: zeroed, page-aligned, owned by one object, refused with an Error.

#include "base/memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/error.h"

namespace plumb {
namespace {

TEST(AnonymousMemory, is_zeroed_and_aligned) {
  const AnonymousMemory m(100'000);
  EXPECT_EQ(m.size(), 100'000);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(m.data()) % 4096, 0u);
  EXPECT_TRUE(std::all_of(m.data(), m.data() + m.size(), [](uint8_t b) { return b == 0; }));
  std::fill_n(m.data(), m.size(), uint8_t{1});
}

TEST(AnonymousMemory, moves) {
  AnonymousMemory a(10'000);
  a.data()[9'999] = 7;
  AnonymousMemory b(std::move(a)), c;
  EXPECT_EQ(b.data()[9'999], 7);
  c = std::move(b);
  EXPECT_EQ(c.size(), 10'000);
  EXPECT_EQ(c.data()[9'999], 7);
}

#if defined(__linux__)
// Of the mapping that holds this address, as the system tells.
std::string flags_of(const void* address) {
  const auto at = reinterpret_cast<uintptr_t>(address);
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%zx-%zx ", &begin, &end) == 2) inside = begin <= at && at < end;
    if (inside && line.starts_with("VmFlags:")) return line + " ";
  }
  return "";
}

// Without them attention at 2,048 positions took 1.4 to 2.1 times as long on a virtual machine.
TEST(AnonymousMemory, AsksForLargePages) {
  if (!std::filesystem::exists("/sys/kernel/mm/transparent_hugepage"))
    GTEST_SKIP() << "this system has no large pages";
  const AnonymousMemory large(AnonymousMemory::kLarge), small(AnonymousMemory::kLarge - 1);
  EXPECT_NE(flags_of(large.data()).find(" hg "), std::string::npos);
  EXPECT_EQ(flags_of(small.data()).find(" hg "), std::string::npos) << "what nobody touches costs";
}
#endif

TEST(AnonymousMemory, nothing_is_fine) {
  EXPECT_EQ(AnonymousMemory(0).data(), nullptr);
}

TEST(AnonymousMemory, more_than_the_address_space_is_an_error_of_the_machine) {
  try {
    const AnonymousMemory m(int64_t{1} << 60);
    FAIL() << "nothing was thrown";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::machine);
  }
}

}  // namespace
}  // namespace plumb
