// Models in several files.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "gguf/gguf.h"
#include "gguf/raw_file.h"
#include "gguf/writer.h"

namespace plumb::test {
namespace {

class SplitModel : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / fmt::format("plumb-split-{}", ::getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path path(int number, int count = 3) const {
    return folder_ / fmt::format("m-{:05}-of-{:05}.gguf", number, count);
  }

  // Part i (from 0) with its split keys and some tensors of ten values, all equal to `value`.
  static gguf::Writer part(uint16_t i, std::initializer_list<const char*> tensors, float value = 0,
                           uint32_t alignment = 32, uint16_t count = 3, int32_t total = 3) {
    gguf::Writer w(alignment);
    w.add("split.no", i);
    w.add("split.count", count);
    w.add("split.tensors.count", total);
    if (i == 0) w.add("general.architecture", "llama");
    const std::vector<float> values(10, value);
    for (const char* name : tensors) w.add_tensor(name, Format::f32, {10}, values);
    return w;
  }

  std::string refused(const std::filesystem::path& opened) const {
    std::string message = message_of([&] { gguf::File::open(opened); });
    for (size_t at; (at = message.find(folder_.string() + "/")) != std::string::npos;)
      message.erase(at, folder_.string().size() + 1);
    return message;
  }

  std::filesystem::path folder_;
};

float first_value(const gguf::TensorView& t) {
  float x;
  std::memcpy(&x, t.data.data(), sizeof x);
  return x;
}

TEST_F(SplitModel, opens_by_its_first_part) {
  part(0, {"b"}, 1).write(path(1));
  part(1, {"c"}, 2, 64).write(path(2));  // alignment is each part's own
  part(2, {"a"}, 3).write(path(3));
  const auto file = gguf::File::open(path(1));
  EXPECT_EQ(file.n_parts(), 3);
  ASSERT_EQ(file.n_tensors(), 3);
  EXPECT_EQ(file.metadata().string("general.architecture"), "llama");
  const char* names[] = {"b", "c", "a"};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(file.tensor(i).name, names[i]);
    EXPECT_EQ(file.find_tensor(names[i])->part, i);
    EXPECT_EQ(first_value(*file.find_tensor(names[i])), static_cast<float>(i + 1));
    file.release(file.tensor(i).data);
  }
  int64_t total = 0;
  for (int i = 1; i <= 3; ++i) total += static_cast<int64_t>(std::filesystem::file_size(path(i)));
  EXPECT_EQ(file.file_bytes(), total);
}

TEST_F(SplitModel, the_first_part_may_hold_no_tensors) {
  part(0, {}).write(path(1));
  part(1, {"c", "d"}).write(path(2));
  part(2, {"a"}).write(path(3));
  EXPECT_EQ(gguf::File::open(path(1)).tensor(0).part, 1);
}

TEST_F(SplitModel, one_part_of_one_needs_no_special_name) {
  part(0, {"a"}, 0, 32, 1, 1).write(folder_ / "single.gguf");
  EXPECT_EQ(gguf::File::open(folder_ / "single.gguf").n_parts(), 1);
}

TEST_F(SplitModel, another_part_is_refused_with_the_name_of_the_first) {
  part(1, {"c"}).write(path(2));
  EXPECT_EQ(refused(path(2)),
            "[gguf] m-00002-of-00003.gguf: a part of a split model: expected to open its first "
            "part, m-00001-of-00003.gguf, got part 2 of 3");
}

TEST_F(SplitModel, a_missing_part_is_named) {
  part(0, {"b"}).write(path(1));
  part(1, {"c"}).write(path(2));
  EXPECT_EQ(refused(path(1)),
            "[gguf] m-00001-of-00003.gguf: a model of 3 parts: expected part 3 at "
            "m-00003-of-00003.gguf, got no such file");
}

TEST_F(SplitModel, a_renamed_first_part_is_refused) {
  part(0, {"b"}).write(folder_ / "renamed.gguf");
  EXPECT_EQ(refused(folder_ / "renamed.gguf"),
            "[gguf] renamed.gguf: part 1 of a split model: expected a name that ends in "
            "-00001-of-00003.gguf, got \"renamed.gguf\"");
}

TEST_F(SplitModel, parts_must_belong_together) {
  part(0, {"b"}).write(path(1));
  part(1, {"c"}).write(path(2));
  part(1, {"a"}).write(path(3));
  EXPECT_EQ(refused(path(1)),
            "[gguf] m-00003-of-00003.gguf: key \"split.no\": expected an integer of 2..2, got 1");
  part(2, {"a"}, 0, 32, 4).write(path(3));
  EXPECT_EQ(
      refused(path(1)),
      "[gguf] m-00003-of-00003.gguf: key \"split.count\": expected an integer of 3..3, got 4");
  part(2, {"a", "d"}).write(path(3));
  EXPECT_EQ(refused(path(1)),
            "[gguf] m-00001-of-00003.gguf: key \"split.tensors.count\": expected an integer of "
            "4..4, got 3");
  part(2, {"b"}).write(path(3));
  EXPECT_EQ(refused(path(1)),
            "[gguf] m-00001-of-00003.gguf: tensor \"b\": expected once, got it twice");
  gguf::Writer().write(path(3));
  EXPECT_EQ(refused(path(1)),
            "[gguf] m-00003-of-00003.gguf: expected a key \"split.no\", got none");
}

TEST_F(SplitModel, absurd_counts_and_numbers_are_refused) {
  const auto with = [&](uint16_t number, uint16_t count) {
    gguf::Writer w;
    w.add("split.no", number);
    w.add("split.count", count);
    w.write(path(1));
    return refused(path(1));
  };
  EXPECT_NE(with(0, 65535), "");
  EXPECT_NE(with(5, 3), "");
  EXPECT_NE(with(1, 1), "");
  EXPECT_NE(with(65535, 0), "");
}

TEST_F(SplitModel, is_not_read_from_memory) {
  EXPECT_NE(message_of([] { open_bytes(part(0, {"a"}).bytes()); }), "");
}

}  // namespace
}  // namespace plumb::test
