// Anonymous memory: zeroed, page-aligned, owned by one object, refused with an Error.

#include "base/memory.h"

#include <gtest/gtest.h>

#include <algorithm>

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
