// How plumb fails: the exit code travels with the message, and a broken invariant ends the program
// with its values.

#include "base/error.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

TEST(Error, fail_says_bad_input) {
  try {
    fail("{}: tensor {}: expected {} columns, got {}", "m.gguf", "blk.0.attn_q", 4096, 4000);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input);
    EXPECT_STREQ(e.what(), "m.gguf: tensor blk.0.attn_q: expected 4096 columns, got 4000");
    return;
  }
  FAIL() << "nothing was thrown";
}

TEST(Error, fail_machine_says_machine) {
  try {
    fail_machine("no memory for {} bytes", 7);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::machine);
    return;
  }
  FAIL() << "nothing was thrown";
}

TEST(Error, codes_are_exit_codes) {
  EXPECT_EQ(static_cast<int>(ErrorCode::machine), 1);
  EXPECT_EQ(static_cast<int>(ErrorCode::bad_input), 2);
  EXPECT_EQ(static_cast<int>(ErrorCode::interrupted), 130);
}

TEST(ErrorDeathTest, a_broken_invariant_prints_its_values) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const int i = 3, n = 2;
  CHECK(n < i, "i {} n {}", i, n);  // holds: goes on
  EXPECT_DEATH(CHECK(i < n, "i {} n {}", i, n), "error_test.cpp.*i < n.*i 3 n 2");
  EXPECT_DEATH(CHECK(i < n), "i < n");
}

}  // namespace
}  // namespace plumb
