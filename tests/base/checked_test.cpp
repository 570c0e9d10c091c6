// Sizes that came from outside: a sum or product is right or absent.

#include "base/checked.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

constexpr int64_t kMax = INT64_MAX, kMin = INT64_MIN;

TEST(Checked, products_fit_or_are_absent) {
  EXPECT_EQ(checked_mul(3, -7), -21);
  EXPECT_EQ(checked_mul(kMax, 0), 0);
  EXPECT_EQ(checked_mul(kMax, 1), kMax);
  EXPECT_EQ(checked_mul(int64_t{1} << 31, int64_t{1} << 31), int64_t{1} << 62);
  EXPECT_EQ(checked_mul(int64_t{1} << 32, int64_t{1} << 31), std::nullopt);
  EXPECT_EQ(checked_mul(kMin, -1), std::nullopt);
  EXPECT_EQ(checked_mul(kMax, 2), std::nullopt);
}

TEST(Checked, sums_fit_or_are_absent) {
  EXPECT_EQ(checked_add(3, -7), -4);
  EXPECT_EQ(checked_add(kMax - 1, 1), kMax);
  EXPECT_EQ(checked_add(kMax, 1), std::nullopt);
  EXPECT_EQ(checked_add(kMin, -1), std::nullopt);
}

}  // namespace
}  // namespace plumb
