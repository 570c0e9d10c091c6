#pragma once
// Edits of one key after another: what the parts of the generator that know the meaning of a file
// share.

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "fuzz/malformed.h"

namespace plumb::test {

// A value as it stands in a file, and in words.
struct Value {
  std::string text;
  gguf::ValueType type;
  std::string bytes;
};

template <typename T>
Value number(gguf::ValueType type, T value) {
  return {fmt::format("{} {}", gguf::value_type_name(type), value), type, bytes_of(value)};
}

inline Value list(gguf::ValueType element, uint64_t count, const std::string& elements) {
  return {fmt::format("array of {} {}", count, gguf::value_type_name(element)),
          gguf::ValueType::array,
          bytes_of(static_cast<uint32_t>(element)) + bytes_of(count) + elements};
}

// Never an integer that means something.
inline std::vector<Value> not_integers() {
  using enum gguf::ValueType;
  const float nan = std::nanf("");
  return {number(f32, 32.0f),
          number(f32, nan),
          number(f64, 32.0),
          number(f64, std::numeric_limits<double>::infinity()),
          {"true", boolean, "\1"},
          {"an empty string", string, bytes_of(uint64_t{0})},
          {"a string", string, bytes_of(uint64_t{2}) + "32"},
          list(f32, 1, bytes_of(32.0f)),
          list(string, 1, bytes_of(uint64_t{2}) + "32"),
          list(u32, 0, ""),
          list(u64, 1000, std::string(8000, '\0'))};
}

// Integers that no size can be, in every width that holds them; 2^32 + now is now when cut to 32
// bits.
inline std::vector<Value> absurd_integers(uint64_t now) {
  using enum gguf::ValueType;
  return {number(u8, uint8_t{0}),
          number(u32, 0u),
          number(i32, -1),
          number(i32, INT32_MIN),
          number(i64, int64_t{-1}),
          number(i64, INT64_MIN),
          number(u32, 0x7fffffffu),
          number(u32, 0x80000000u),
          number(u32, 0xffffffffu),
          number(u64, (uint64_t{1} << 32) + now),
          number(u64, uint64_t{1} << 40),
          number(u64, uint64_t{INT64_MAX}),
          number(u64, uint64_t{1} << 63),
          number(u64, ~uint64_t{0})};
}

// Integers that could be a size, but not the one of these tensors.
inline std::vector<Value> other_integers(uint64_t now) {
  using enum gguf::ValueType;
  std::vector<Value> out;
  for (const uint64_t v :
       {now - 1, now + 1, 2 * now, now / 2, now + 256, uint64_t{65536}, uint64_t{1} << 24})
    if (v != now) out.push_back(number(u32, static_cast<uint32_t>(v)));
  return out;
}

class Edits {
 public:
  Edits(const Base& base, const Visit& visit) : base_(base), visit_(visit) {}

  template <typename Edit>
  void add(const std::string& what, Refusal refusal, Edit edit) const {
    visit_edited(base_, what, refusal, visit_, edit);
  }
  void set(const std::string& key, const Value& value, Refusal refusal) const {
    add(key + " = " + value.text, refusal,
        [&](RawFile& f) { f.set(key, value.type, value.bytes); });
  }
  void set_all(const std::string& key, const std::vector<Value>& values, Refusal refusal) const {
    for (const Value& value : values) set(key, value, refusal);
  }
  bool has(const std::string& key) const { return RawFile(base_.file).pair(key) != nullptr; }
  std::string architecture() const {
    const std::string value = RawFile(base_.file).pair("general.architecture")->value;
    return value.substr(sizeof(uint64_t));
  }
  uint64_t number_of(const std::string& key) const {
    uint64_t value = 0;
    const std::string bytes = RawFile(base_.file).pair(key)->value;
    std::memcpy(&value, bytes.data(), bytes.size());
    return value;
  }

 private:
  const Base& base_;
  const Visit& visit_;
};

}  // namespace plumb::test
