#include "measure/device_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "support/temp_folder.h"

namespace plumb::test {
namespace {

using ::testing::HasSubstr;

class DeviceLockTest : public ::testing::Test {
 protected:
  std::filesystem::path file() const { return folder_.path() / "plumb-cpu.lock"; }
  std::string refusal(const char* device = "cpu") const {
    try {
      DeviceLock(device, "plumb probe", {}, folder_.path());
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }
  TempFolder folder_;
};

TEST_F(DeviceLockTest, TheSecondIsToldWhoHasIt) {
  {
    const DeviceLock first("cpu", "plumb bench -m a.gguf", {}, folder_.path());
    const std::string words = refusal();
    EXPECT_THAT(words, HasSubstr("plumb bench -m a.gguf"));
    EXPECT_THAT(words, HasSubstr("process " + std::to_string(::getpid())));
    EXPECT_THAT(words, HasSubstr("--wait"));
    EXPECT_EQ(refusal("gpu0"), "") << "another device";
  }
  EXPECT_EQ(refusal(), "");
}

TEST_F(DeviceLockTest, WhatStandsInTheFileBlocksNobody) {
  write_file(file(), "process 1: plumb bench that died\n");
  EXPECT_EQ(refusal(), "");
  write_file(file(), std::string(100000, 'x'));
  EXPECT_EQ(refusal(), "");
  const DeviceLock first("cpu", std::string(100000, 'y'), {}, folder_.path());
  EXPECT_LT(refusal().size(), 400u);
}

TEST_F(DeviceLockTest, AFileOfAnotherUserWillDo) {
  write_file(file(), "");
  ASSERT_EQ(::chmod(file().c_str(), 0444), 0);
  const DeviceLock first("cpu", "plumb bench", {}, folder_.path());
  EXPECT_NE(refusal(), "");
}

TEST_F(DeviceLockTest, NothingButAPlainFileIsLocked) {
  ASSERT_EQ(::mkfifo(file().c_str(), 0666), 0);
  EXPECT_THAT(refusal(), HasSubstr("plain file"));
  ASSERT_EQ(::unlink(file().c_str()), 0);
  ASSERT_EQ(::symlink("/dev/null", file().c_str()), 0);
  EXPECT_THAT(refusal(), HasSubstr("expected a lock file that opens"));
}

TEST_F(DeviceLockTest, WaitingEndsWithTheHolder) {
  auto first = std::make_unique<DeviceLock>("cpu", "the first", nullptr, folder_.path());
  std::atomic<bool> waits{false}, held{false};
  std::string holder;
  std::thread second([&] {
    const DeviceLock lock(
        "cpu", "the second",
        [&](const std::string& name) {
          holder = name;
          waits = true;
        },
        folder_.path());
    held = true;
  });
  while (!waits) std::this_thread::yield();
  EXPECT_FALSE(held);
  first.reset();
  second.join();
  EXPECT_TRUE(held);
  EXPECT_THAT(holder, HasSubstr("the first"));
}

class Lent : public DeviceLockTest {
 protected:
  ~Lent() override { ::unsetenv(kLentLock); }
  bool is_inherited() const {
    return DeviceLock("cpu", "plumb bench", {}, folder_.path()).is_inherited();
  }
};

TEST_F(Lent, AChildSharesItsParentsLock) {
  const DeviceLock parent("cpu", "plumb compare", {}, folder_.path());
  EXPECT_NE(refusal(), "") << "not lent yet";
  parent.lend();
  EXPECT_TRUE(is_inherited());
  EXPECT_EQ(::truncate(file().c_str(), 0), 0);
  EXPECT_TRUE(is_inherited()) << "the name is not needed: a full disk has none";
}

TEST_F(Lent, TheNameWillDoWhereTheFileWasClosed) {
  const DeviceLock parent("cpu", "plumb compare", {}, folder_.path());
  ::setenv(kLentLock, (std::to_string(::getpid()) + ":99").c_str(), 1);
  EXPECT_TRUE(is_inherited());
}

TEST_F(Lent, SomebodyElsesChildIsRefused) {
  const DeviceLock parent("cpu", "plumb compare", {}, folder_.path());
  const TempFolder elsewhere;
  const DeviceLock other("cpu", "plumb compare", {}, elsewhere.path());
  for (const char* value : {"1:99", "1:0", "1:-1", "1", ":", ":3", "x:y", ""}) {
    ::setenv(kLentLock, value, 1);
    EXPECT_NE(refusal(), "") << value;
  }
  other.lend();
  ::setenv(kLentLock, ("1" + std::string(std::strchr(std::getenv(kLentLock), ':'))).c_str(), 1);
  EXPECT_NE(refusal(), "") << "a lock of another file";
}

}  // namespace
}  // namespace plumb::test
