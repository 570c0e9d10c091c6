// Files: mapping, bounded reading, and writing that never leaves half a file.

#include "base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "base/error.h"
#include "support/temp_folder.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

std::string text(std::span<const uint8_t> bytes) {
  return {bytes.begin(), bytes.end()};
}

ErrorCode code_of(const std::function<void()>& f, std::string_view expected_in_message) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_NE(std::string_view(e.what()).find(expected_in_message), std::string_view::npos)
        << e.what();
    return e.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

TEST(MappedFile, shows_the_bytes) {
  const test::TempFolder folder;
  const MappedFile file(folder.add("a", "some bytes"));
  EXPECT_EQ(text(file.bytes()), "some bytes");
  EXPECT_EQ(file.path(), folder.path() / "a");
}

TEST(MappedFile, an_empty_file_is_an_empty_view) {
  const test::TempFolder folder;
  EXPECT_TRUE(MappedFile(folder.add("empty", "")).bytes().empty());
}

TEST(MappedFile, moves) {
  const test::TempFolder folder;
  MappedFile a(folder.add("a", "first")), b(folder.add("b", "second"));
  MappedFile c(std::move(a));
  EXPECT_EQ(text(c.bytes()), "first");
  c = std::move(b);
  EXPECT_EQ(text(c.bytes()), "second");
  EXPECT_EQ(c.path().filename(), "b");
}

TEST(MappedFile, released_bytes_can_be_read_again) {
  const test::TempFolder folder;
  const std::string content(100'000, 'x');
  const MappedFile file(folder.add("a", content));
  file.release(file.bytes());
  file.release(file.bytes().subspan(1, 10));
  file.release({});
  EXPECT_EQ(text(file.bytes()), content);
}

TEST(MappedFile, what_cannot_be_mapped_is_named) {
  const test::TempFolder folder;
  EXPECT_EQ(code_of([&] { MappedFile(folder.path() / "absent"); },
                    "absent: expected a file that opens, got: No such file"),
            ErrorCode::bad_input);
  EXPECT_EQ(code_of([&] { MappedFile(folder.path()); }, "expected a regular file, got a directory"),
            ErrorCode::bad_input);
  EXPECT_EQ(
      code_of([&] { MappedFile("/dev/null"); }, "/dev/null: expected a regular file, got a device"),
      ErrorCode::bad_input);
}

TEST(ReadFile, reads_all_or_refuses) {
  const test::TempFolder folder;
  const std::string content = std::string(200'000, 'a') + '\0' + "end";
  const fs::path file = folder.add("a", content);
  const auto size = static_cast<int64_t>(content.size());
  EXPECT_EQ(read_file(file), content);
  EXPECT_EQ(read_file(file, size), content);
  EXPECT_EQ(code_of([&] { read_file(file, size - 1); }, "expected at most"), ErrorCode::bad_input);
  EXPECT_EQ(code_of([&] { read_file("/dev/zero", 1 << 20); }, "/dev/zero"), ErrorCode::bad_input);
  EXPECT_EQ(code_of([&] { read_file(folder.path() / "absent"); }, "absent"), ErrorCode::bad_input);
  EXPECT_EQ(code_of([&] { read_file(folder.path()); }, "can be read, got: Is a directory"),
            ErrorCode::bad_input);
}

TEST(WriteFile, replaces_the_whole_content_and_leaves_nothing_else) {
  const test::TempFolder folder;
  const fs::path file = folder.add("a", "old and longer");
  write_file(file, "new");
  EXPECT_EQ(read_file(file), "new");
  write_file(file, "");
  EXPECT_EQ(read_file(file), "");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(WriteFile, a_folder_that_is_not_there_is_the_callers_mistake) {
  const test::TempFolder folder;
  EXPECT_EQ(code_of([&] { write_file(folder.path() / "absent/file", "x"); },
                    "absent/file: expected a file that can be written, got: No such"),
            ErrorCode::bad_input);
}

TEST(OutputFile, appears_only_when_committed) {
  const test::TempFolder folder;
  const fs::path file = folder.path() / "a";
  {
    OutputFile out(file);
    out.write("lost");
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
  OutputFile out(file);
  out.write("kept ");
  EXPECT_FALSE(fs::exists(file));
  out.write("content");
  out.commit();
  EXPECT_EQ(read_file(file), "kept content");
}

TEST(OutputFile, writes_into_a_pipe_and_never_replaces_it) {
  const test::TempFolder folder;
  const fs::path pipe = folder.path() / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  write_file(pipe, "through");
  char got[16] = {};
  EXPECT_EQ(read(reader, got, sizeof got), 7);
  EXPECT_STREQ(got, "through");
  close(reader);
  EXPECT_TRUE(fs::is_fifo(pipe));
}

TEST(OutputFile, a_folder_is_no_file) {
  const test::TempFolder folder;
  EXPECT_EQ(code_of([&] { OutputFile out(folder.path()); }, "can be written, got a directory"),
            ErrorCode::bad_input);
}

// A limit on the size of files stands in for a full disk.
TEST(WriteFile, a_full_disk_keeps_the_old_content) {
  const test::TempFolder folder;
  const fs::path file = folder.add("a", "old");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const ErrorCode code =
      code_of([&] { write_file(file, std::string(5000, 'x')); }, "a: cannot write");
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, ignored);
  EXPECT_EQ(code, ErrorCode::machine);
  EXPECT_EQ(read_file(file), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

}  // namespace
}  // namespace plumb
