// What the writer writes, read again.

#include "gguf/writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "gguf/raw_file.h"
#include "support/random.h"
#include "support/tiny_model.h"

namespace plumb::test {
namespace {

std::filesystem::path scratch(const std::string& name) {
  return std::filesystem::path(testing::TempDir()) / fmt::format("plumb-{}-{}", ::getpid(), name);
}

TEST(GgufWriter, tensors_come_back_with_shape_format_and_bytes) {
  Random random(3);
  const auto floats = random.normals(64 * 3);
  gguf::Writer w(64);
  w.add_tensor("a", Format::f32, {5}, std::span(floats).first(5));
  w.add_tensor("b", Format::q4_0, {64, 3}, floats);
  w.add_tensor("c", Format::f16, {2, 3, 4, 8}, floats);
  w.add_tensor("scalar", Format::f32, {}, std::span(floats).first(1));
  const auto file = open_bytes(w.bytes());
  ASSERT_EQ(file.n_tensors(), 4);
  const auto b = *file.find_tensor("b");
  EXPECT_EQ(b.format, Format::q4_0);
  EXPECT_EQ(b.n_dims, 2);
  EXPECT_EQ(b.ne, (std::array<int64_t, 4>{64, 3, 1, 1}));
  EXPECT_EQ(b.n_elements(), 192);
  std::vector<uint8_t> blocks(108);
  format_info(Format::q4_0).encode(floats.data(), blocks.data(), 192);
  EXPECT_TRUE(std::ranges::equal(b.data, blocks));
  const auto c = file.tensor(2);
  EXPECT_EQ(c.ne, (std::array<int64_t, 4>{2, 3, 4, 8}));
  EXPECT_EQ(c.data.size(), 384u);
  EXPECT_EQ(file.find_tensor("scalar")->n_dims, 0);
  EXPECT_EQ(file.metadata().integer("general.alignment"), 64);
  EXPECT_EQ((c.data.data() - b.data.data()) % 64, 0);
}

TEST(GgufWriter, a_copied_key_is_the_same_bytes) {
  gguf::Writer first = tiny_llama();
  first.add("u16", uint16_t{7});
  const auto from = open_bytes(first.bytes());
  gguf::Writer second;
  for (int64_t i = 0; i < from.metadata().size(); ++i)
    second.copy(from.metadata(), from.metadata().key(i));
  const auto to = open_bytes(second.bytes());
  ASSERT_EQ(to.metadata().size(), from.metadata().size());
  for (int64_t i = 0; i < to.metadata().size(); ++i) {
    const auto key = from.metadata().key(i);
    EXPECT_EQ(to.metadata().key(i), key);
    EXPECT_TRUE(std::ranges::equal(*to.metadata().raw(key), *from.metadata().raw(key))) << key;
  }
  EXPECT_FALSE(to.metadata().raw("absent"));
}

TEST(GgufWriter, refuses_what_its_caller_got_wrong) {
  const std::vector<float> values(32);
  gguf::Writer w;
  w.add("a", 1u);
  w.add_tensor("t", Format::f32, {32}, values);
  EXPECT_DEATH(w.add("a", 2u), "key a twice");
  EXPECT_DEATH(w.add_tensor("t", Format::f32, {32}, values), "tensor t twice");
  EXPECT_DEATH(w.add_tensor("u", Format::f32, {31}, values), "32 values, expected 31");
  EXPECT_DEATH(w.add_tensor("u", Format::q4_0, {16, 2}, values), "rows of 16 in blocks of 32");
  EXPECT_DEATH(w.add_tensor("u", Format::q4_k, {256}, std::vector<float>(256)),
               "no encoder of Q4_K");
  EXPECT_DEATH(gguf::Writer(48), "alignment 48");
}

TEST(GgufWriter, writes_files_that_open_again) {
  const auto path = scratch("tiny.gguf");
  const gguf::Writer w = tiny_llama({.tied = false, .rope_freqs = true, .biases = true});
  w.write(path);
  const auto file = gguf::File::open(path);
  EXPECT_EQ(read_file(path), w.bytes());
  EXPECT_EQ(file.path(), path);
  EXPECT_EQ(file.n_tensors(), 1 + 2 * 13 + 3);
  const auto before = file.tensor(0);
  const std::vector<uint8_t> copy(before.data.begin(), before.data.end());
  file.release(before.data);
  EXPECT_TRUE(std::ranges::equal(before.data, copy));  // read again from the file
  file.release();
  EXPECT_TRUE(std::ranges::equal(before.data, copy));
  EXPECT_EQ(file.tensor(0).name, before.name);
  EXPECT_TRUE(file.metadata().has("general.architecture"));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace plumb::test
