// The typed readers: what they accept, and what they say when they do not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "gguf/gguf.h"
#include "gguf/raw_file.h"
#include "gguf/writer.h"

namespace plumb::test {
namespace {

using gguf::Metadata;
using gguf::ValueType;

gguf::File sample() {
  gguf::Writer w;
  w.add("u16", uint16_t{65535});
  w.add("i32", -5);
  w.add("u64", ~uint64_t{0});
  w.add("f32", 0.5f);
  w.add("nan", std::nanf(""));
  w.add("inf", std::numeric_limits<float>::infinity());
  w.add("yes", true);
  w.add("text", "some text");
  w.add("strings", std::vector<std::string>{"a", "", "c"});
  w.add("ints", std::vector<int32_t>{3, -4, 5});
  w.add("floats", std::vector<float>{0.25f, -1});
  w.add("not finite", std::vector<float>{1, std::nanf("")});
  w.add("none", std::vector<int32_t>{});
  return open_bytes(w.bytes());
}

TEST(Metadata, reads_each_type_as_what_it_is_asked_for) {
  const auto file = sample();
  const Metadata& m = file.metadata();
  EXPECT_EQ(m.integer("u16"), 65535);
  EXPECT_EQ(m.integer("i32", -10), -5);
  EXPECT_EQ(m.integer_or("absent", 7), 7);
  EXPECT_EQ(m.number("f32"), 0.5);
  EXPECT_EQ(m.number("i32"), -5);
  EXPECT_EQ(m.number("u64"), 18446744073709551615.0);
  EXPECT_EQ(m.number_or("absent", 1.5), 1.5);
  EXPECT_TRUE(m.boolean_or("yes", false));
  EXPECT_TRUE(m.boolean_or("absent", true));
  EXPECT_EQ(m.string("text"), "some text");
  EXPECT_EQ(m.string_or("absent", "x"), "x");
  EXPECT_THAT(m.strings("strings"), testing::ElementsAre("a", "", "c"));
  EXPECT_EQ(m.integers_or_empty("ints"), (std::vector<int64_t>{3, -4, 5}));
  EXPECT_TRUE(m.integers_or_empty("none").empty());
  EXPECT_TRUE(m.integers_or_empty("absent").empty());
  EXPECT_EQ(m.numbers_or_empty("floats"), (std::vector<double>{0.25, -1}));
  EXPECT_EQ(m.numbers_or_empty("ints"), (std::vector<double>{3, -4, 5}));
  EXPECT_EQ(m.per_layer("u16", 2, 0, 65535), (std::vector<int64_t>{65535, 65535}));
  EXPECT_EQ(m.per_layer("ints", 3, -4, 5), (std::vector<int64_t>{3, -4, 5}));
  EXPECT_EQ(m.per_layer_or("absent", 2, 9), (std::vector<int64_t>{9, 9}));
  EXPECT_EQ(m.key(1), "i32");
  EXPECT_EQ(std::get<int64_t>(m.value(1)), -5);
  EXPECT_EQ(std::get<uint64_t>(*m.find("u64")), ~uint64_t{0});
  EXPECT_FALSE(m.find("u1"));
  EXPECT_FALSE(m.has("u166"));
}

TEST(Metadata, refuses_with_key_expected_and_got) {
  const auto file = sample();
  const Metadata& m = file.metadata();
  const auto expect = [&](auto action, const std::string& message) {
    EXPECT_EQ(message_of(action), "[gguf] m.gguf: " + message);
  };
  expect([&] { m.integer("absent"); }, "expected a key \"absent\", got none");
  expect([&] { m.integer("i32"); }, "key \"i32\": expected an integer of 0..2147483647, got -5");
  expect([&] { m.integer("u16", 1, 64); }, "key \"u16\": expected an integer of 1..64, got 65535");
  expect([&] { m.integer("u64", 0, INT64_MAX); },
         "key \"u64\": expected an integer of 0..9223372036854775807, got 18446744073709551615");
  expect([&] { m.integer_or("f32", 1); },
         "key \"f32\": expected an integer of 0..2147483647, got the float 0.5");
  expect([&] { m.integer("yes"); }, "key \"yes\": expected an integer of 0..2147483647, got true");
  expect([&] { m.number("nan"); }, "key \"nan\": expected a finite number, got the float nan");
  expect([&] { m.number_or("inf", 1); },
         "key \"inf\": expected a finite number, got the float inf");
  expect([&] { m.number("text"); },
         "key \"text\": expected a finite number, got the string \"some text\"");
  expect([&] { m.number("absent"); }, "expected a key \"absent\", got none");
  expect([&] { m.boolean_or("i32", true); }, "key \"i32\": expected true or false, got -5");
  expect([&] { m.string("ints"); }, "key \"ints\": expected a string, got an array of 3 i32");
  expect([&] { m.string("text", 8); },
         "key \"text\": expected a string of at most 8 bytes, got 9 bytes");
  expect([&] { m.string("absent"); }, "expected a key \"absent\", got none");
  expect([&] { m.strings("ints"); },
         "key \"ints\": expected an array of strings, got an array of 3 i32");
  expect([&] { m.strings("text"); },
         "key \"text\": expected an array of strings, got the string \"some text\"");
  expect([&] { m.strings("absent"); }, "expected a key \"absent\", got none");
  expect([&] { m.integers_or_empty("floats"); },
         "key \"floats\": expected an integer of -9223372036854775808..9223372036854775807, got "
         "the float 0.25");
  expect(
      [&] { m.integers_or_empty("strings"); },
      "key \"strings\": expected an array of at most 8388608 integers, got an array of 3 string");
  expect([&] { m.numbers_or_empty("not finite"); },
         "key \"not finite\": expected a finite number, got the float nan");
  expect([&] { m.per_layer("ints", 2, -9); },
         "key \"ints\": expected one integer or one for each of 2 layers, got an array of 3 i32");
  expect([&] { m.per_layer("ints", 3); },
         "key \"ints\": expected an integer of 0..2147483647, got -4");
  expect([&] { m.per_layer("u16", 65537); },
         "key \"u16\": expected at most 65536 layers, got 65537");
  expect([&] { m.per_layer_or("absent", -1, 0); },
         "key \"absent\": expected at most 65536 layers, got -1");
}

// Strings in messages are cut and escaped: a file cannot write to the terminal or fill it.
TEST(Metadata, messages_quote_what_the_file_says) {
  gguf::Writer w;
  w.add("k", std::string("\x1b[2J\n") + std::string(1000, 'x'));
  const auto file = open_bytes(w.bytes());
  const std::string message = message_of([&] { file.metadata().integer("k"); });
  EXPECT_NE(message.find("\\x1b[2J\\x0a"), std::string::npos) << message;
  EXPECT_LT(message.size(), 250u);
}

// A file of one-byte numbers must not grow eightfold in memory.
TEST(Metadata, huge_arrays_of_small_numbers_are_not_copied_out) {
  Bytes b;
  b.header(0, 1)
      .text("k")
      .type(ValueType::array)
      .type(ValueType::u8)
      .number<uint64_t>(Metadata::kMostNumbers + 1);
  b.append(Metadata::kMostNumbers + 1, '\1');
  const auto file = open_bytes(b);
  EXPECT_EQ(message_of([&] { file.metadata().integers_or_empty("k"); }),
            "[gguf] m.gguf: key \"k\": expected an array of at most 8388608 integers, got an array "
            "of 8388609 u8");
}

}  // namespace
}  // namespace plumb::test
