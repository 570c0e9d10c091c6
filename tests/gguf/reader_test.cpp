// Opening files: what is refused, with which words, and what is not.

#include <gtest/gtest.h>

#include <chrono>

#include "base/error.h"
#include "gguf/gguf.h"
#include "gguf/raw_file.h"
#include "gguf/writer.h"

namespace plumb::test {
namespace {

using gguf::ValueType;

Bytes pairs_file(std::initializer_list<Bytes> pairs) {
  Bytes b;
  b.header(0, pairs.size());
  for (const Bytes& p : pairs) b += p;
  return b;
}
Bytes pair(std::string_view key, ValueType type) {
  Bytes b;
  b.text(key).type(type);
  return b;
}

// A file of f32 tensors of 8 values (32 bytes) each at given offsets, with `data` bytes of data.
struct Placed {
  const char* name;
  uint64_t offset;
};
Bytes tensors_file(std::initializer_list<Placed> tensors, size_t data) {
  Bytes b;
  b.header(tensors.size(), 0);
  for (const Placed& t : tensors) b.tensor(t.name, {8}, 0, t.offset);
  b.pad();
  b.append(data, '\1');
  return b;
}
Bytes one_tensor(const std::vector<uint64_t>& ne, uint32_t type_id, uint64_t offset = 0,
                 std::string_view name = "t") {
  Bytes b;
  b.header(1, 0).tensor(name, ne, type_id, offset).pad();
  b.append(4096, '\0');
  return b;
}

struct Refused {
  const char* why;
  Bytes file;
  const char* message;  // after "[gguf] m.gguf: "
};

void expect_refused(const std::vector<Refused>& all) {
  for (const Refused& r : all)
    EXPECT_EQ(message_of([&] { open_bytes(r.file); }), std::string("[gguf] m.gguf: ") + r.message)
        << r.why;
}

Bytes header_only(uint64_t n_tensors, uint64_t n_pairs, uint32_t version = 3) {
  Bytes b;
  b.header(n_tensors, n_pairs, version);
  return b;
}
Bytes raw(std::string_view s) {
  Bytes b;
  b.append(s);
  return b;
}

TEST(GgufReader, refuses_headers) {
  expect_refused({
      {"empty", {}, "header: magic: expected 4 bytes at byte 0, got 0 before the end of the file"},
      {"text", raw("hello, world"),
       "header: magic: expected \"GGUF\" (is this a GGUF file?), got \"hell\""},
      {"short", raw("GGUF\3"),
       "header: version: expected 4 bytes at byte 4, got 1 before the end of the file"},
      {"version 1", header_only(0, 0, 1),
       "header: version: expected 2 or 3, got 1, an early layout that nothing writes any more"},
      {"version 4", header_only(0, 0, 4), "header: version: expected 2 or 3, got 4"},
      {"big-endian", header_only(0, 0, 0x03000000),
       "header: version: expected a little-endian file, got a big-endian one, which plumb does not "
       "read"},
      {"too many keys", header_only(0, uint64_t{1} << 60),
       "header: key count: expected at most 0, 0 bytes remain, got 1152921504606846976"},
      {"too many tensors", header_only(~uint64_t{0}, 0),
       "header: tensor count: expected at most 0, 0 bytes remain, got 18446744073709551615"},
  });
}

TEST(GgufReader, refuses_pairs) {
  using enum ValueType;
  expect_refused({
      {"empty key", pairs_file({pair("", u64).number<uint64_t>(1)}),
       "key number 0: name: expected 1 to 65535 printable ASCII characters, got \"\" (0 bytes)"},
      {"long key", pairs_file({pair(std::string(65536, 'k'), u8).number<uint8_t>(1)}),
       "key number 0: name: expected 1 to 65535 printable ASCII characters, got "
       "\"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk...\" (65536 bytes)"},
      {"control character", pairs_file({pair("a\x1b[2Jb", u8).number<uint8_t>(1)}),
       "key number 0: name: expected 1 to 65535 printable ASCII characters, got \"a\\x1b[2Jb\" (6 "
       "bytes)"},
      {"unknown type", pairs_file({pair("a", static_cast<ValueType>(13)).number<uint64_t>(1)}),
       "key \"a\": value type: expected 0..12, got 13"},
      {"nested array", pairs_file({pair("a", array).type(array).number<uint64_t>(0)}),
       "key \"a\": element type: expected 0..12 but not 9 (arrays of arrays), got 9"},
      {"unknown element", pairs_file({pair("a", array).number(77u).number<uint64_t>(0)}),
       "key \"a\": element type: expected 0..12 but not 9 (arrays of arrays), got 77"},
      {"bool of 2", pairs_file({pair("a", boolean).number<uint8_t>(2)}),
       "key \"a\": bool: expected 0 or 1, got 2"},
      {"bool array of 2",
       pairs_file({pair("a", array).type(boolean).number<uint64_t>(1).number<uint8_t>(2)}),
       "key \"a\": bool: expected 0 or 1, got 2"},
      {"cut number", pairs_file({pair("abc", u64).number(1u)}),
       "key \"abc\": value: expected 8 bytes at byte 39, got 4 before the end of the file"},
      {"string beyond the end", pairs_file({pair("abc", string).number<uint64_t>(~uint64_t{0})}),
       "key \"abc\": string: expected 18446744073709551615 bytes at byte 47, got 0 before the end "
       "of the file"},
      {"array beyond the end", pairs_file({pair("abc", array).type(u64).number(uint64_t{1} << 61)}),
       "key \"abc\": array: expected 2305843009213693952 times 8 bytes at byte 51, got 0 before "
       "the end of the file"},
      {"strings beyond the end",
       pairs_file({pair("abc", array).type(string).number(uint64_t{1} << 61)}),
       "key \"abc\": array length: expected at most 0 strings, 0 bytes remain, got "
       "2305843009213693952"},
      {"a string of an array beyond the end",
       pairs_file({pair("abc", array).type(string).number<uint64_t>(1).number<uint64_t>(9)}),
       "key \"abc\": string of the array: expected 9 bytes at byte 59, got 0 before the end of the "
       "file"},
      {"twice", pairs_file({pair("a", u8).number<uint8_t>(1), pair("a", u8).number<uint8_t>(1)}),
       "key \"a\": expected once, got it twice"},
      {"alignment 0", pairs_file({pair("general.alignment", u32).number(0u)}),
       "key \"general.alignment\": expected an integer of 1..4294967295, got 0"},
      {"alignment 48", pairs_file({pair("general.alignment", u32).number(48u)}),
       "key \"general.alignment\": expected a power of two, got 48"},
      {"alignment text", pairs_file({pair("general.alignment", string).text("32")}),
       "key \"general.alignment\": expected an integer of 1..4294967295, got the string \"32\""},
  });
}

TEST(GgufReader, refuses_tensors) {
  expect_refused({
      {"no name", one_tensor({8}, 0, 0, ""),
       "tensor number 0: name: expected 1 to 63 printable ASCII characters, got \"\" (0 bytes)"},
      {"long name", one_tensor({8}, 0, 0, std::string(64, 't')),
       "tensor number 0: name: expected 1 to 63 printable ASCII characters, got "
       "\"tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt\" (64 bytes)"},
      {"newline in the name", one_tensor({8}, 0, 0, "a\nb"),
       "tensor number 0: name: expected 1 to 63 printable ASCII characters, got \"a\\x0ab\" (3 "
       "bytes)"},
      {"five dimensions", one_tensor({1, 1, 1, 1, 1}, 0),
       "tensor \"t\": n_dims: expected 0..4, got 5"},
      {"no rows", one_tensor({8, 0}, 0), "tensor \"t\": ne[1]: expected 1..2^63-1, got 0"},
      {"negative dimension", one_tensor({8, ~uint64_t{0}}, 0),
       "tensor \"t\": ne[1]: expected 1..2^63-1, got 18446744073709551615"},
      {"too many elements", one_tensor({uint64_t{1} << 32, uint64_t{1} << 32}, 0),
       "tensor \"t\": shape: expected a size below 2^63 bytes, got 4294967296 x 4294967296 x 1 x "
       "1"},
      {"too many bytes", one_tensor({uint64_t{1} << 62}, 0),
       "tensor \"t\": shape: expected a size below 2^63 bytes, got 4611686018427387904 x 1 x 1 x "
       "1"},
      {"retired type", one_tensor({32}, 4),
       "tensor \"t\": type: expected a known type id (0..42 without retired ones), got 4"},
      {"unknown type", one_tensor({32}, 43),
       "tensor \"t\": type: expected a known type id (0..42 without retired ones), got 43"},
      {"half a block", one_tensor({33}, 2),
       "tensor \"t\": ne[0]: expected a multiple of 32, the block of Q4_0, got 33"},
      {"odd offset", one_tensor({8}, 0, 4),
       "tensor \"t\": expected an offset that is a multiple of 32, got 4"},
      {"offset beyond the end", one_tensor({8}, 0, uint64_t{1} << 40),
       "tensor \"t\": expected data inside a section of 4096 bytes, got 32 bytes at 1099511627776"},
      {"offset that wraps", one_tensor({8}, 0, ~uint64_t{31}),
       "tensor \"t\": expected data inside a section of 4096 bytes, got 32 bytes at "
       "18446744073709551584"},
      {"data beyond the end", one_tensor({1025}, 0),
       "tensor \"t\": expected data inside a section of 4096 bytes, got 4100 bytes at 0"},
      {"overlap", tensors_file({{"a", 32}, {"b", 0}, {"c", 32}}, 96),
       "tensor \"c\": expected data after tensor \"a\", which ends at 64, got an offset of 32"},
      {"twice", tensors_file({{"a", 0}, {"b", 32}, {"a", 64}}, 96),
       "tensor \"a\": expected once, got it twice"},
      {"no data section", raw(std::string(one_tensor({8}, 0)).substr(0, 56)),
       "tensor \"t\": offset: expected 8 bytes at byte 49, got 7 before the end of the file"},
  });
}

TEST(GgufReader, accepts_what_is_unusual_but_right) {
  EXPECT_EQ(open_bytes(header_only(0, 0, 2)).n_tensors(), 0);
  EXPECT_EQ(open_bytes(header_only(0, 0, 3)).n_parts(), 1);
  EXPECT_EQ(open_bytes(one_tensor({}, 0)).tensor(0).n_elements(), 1);
  // gaps, and descriptors in another order than their data
  const Bytes scattered = tensors_file({{"late", 96}, {"early", 32}}, 128);
  const gguf::File file = open_bytes(scattered);
  EXPECT_EQ(file.tensor(0).name, "late");
  EXPECT_EQ(file.find_tensor("early")->data.size(), 32u);
  EXPECT_EQ(file.find_tensor("early")->data.data() + 64, file.find_tensor("late")->data.data());
  EXPECT_FALSE(file.find_tensor("missing"));
  EXPECT_EQ(file.file_bytes(), static_cast<int64_t>(scattered.size()));
  // the types of the formats that plumb cannot decode are known by their size
  EXPECT_EQ(open_bytes(one_tensor({256}, 16)).tensor(0).data.size(), 66u);
}

TEST(GgufReader, alignment_one_is_an_alignment) {
  Bytes b;
  b.header(1, 1).text("general.alignment").type(ValueType::u32).number(1u);
  b.tensor("t", {1}, 0, 3).append(7, '\2');
  const auto file = open_bytes(b);
  EXPECT_EQ(file.tensor(0).data.data() + 4,
            file.tensor(0).data.data() + file.tensor(0).data.size());
}

TEST(GgufReader, every_truncation_is_refused_or_leaves_the_data_whole) {
  gguf::Writer w;
  w.add("general.architecture", "llama");
  w.add("list", std::vector<std::string>{"a", "bc"});
  w.add_tensor("x", Format::f32, {8}, std::span<const float>(std::vector<float>(8)));
  const std::string whole = w.bytes();
  for (size_t n = 0; n < whole.size(); ++n)
    EXPECT_NE(message_of([&] { open_bytes(whole.substr(0, n)); }), "") << n;
  open_bytes(whole);
}

TEST(GgufReader, missing_and_strange_files_are_named) {
  EXPECT_EQ(message_of([] { gguf::File::open("/nowhere/m.gguf"); }),
            "/nowhere/m.gguf: expected a file that opens, got: No such file or directory");
  EXPECT_EQ(message_of([] { gguf::File::open("/tmp"); }),
            "/tmp: expected a regular file, got a directory");
}

// 200,000 keys and as many tensors, all with long common prefixes: time is n log n, not n * n
// (which would take minutes).
TEST(GgufReader, many_keys_and_tensors_open_fast) {
  constexpr uint64_t n = 200000;
  Bytes b;
  b.header(n, n);
  for (uint64_t i = 0; i < n; ++i)
    b.text(fmt::format("some.rather.long.prefix.of.keys.{}", i))
        .type(ValueType::u8)
        .number<uint8_t>(1);
  for (uint64_t i = 0; i < n; ++i)
    b.tensor(fmt::format("blk.some.prefix.{}", n - i), {8}, 0, 32 * i);
  b.pad();
  b.append(32 * n, '\0');
  const auto start = std::chrono::steady_clock::now();
  const auto file = open_bytes(b);
  EXPECT_EQ(file.find_tensor("blk.some.prefix.1")->data.data(), file.tensor(n - 1).data.data());
  EXPECT_EQ(file.metadata().integer("some.rather.long.prefix.of.keys.199999"), 1);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

}  // namespace
}  // namespace plumb::test
