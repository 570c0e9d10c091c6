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
