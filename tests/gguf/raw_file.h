#pragma once
// GGUF files byte by byte, right or wrong: what the Writer refuses to write.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "gguf/gguf.h"

namespace plumb::test {

struct Bytes : std::string {
  template <typename T>
  Bytes& number(T value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    append(raw, sizeof value);
    return *this;
  }
  Bytes& text(std::string_view s) {
    number<uint64_t>(s.size());
    append(s);
    return *this;
  }
  Bytes& type(gguf::ValueType t) { return number(static_cast<uint32_t>(t)); }
  Bytes& header(uint64_t n_tensors, uint64_t n_pairs, uint32_t version = 3) {
    append("GGUF");
    return number(version).number(n_tensors).number(n_pairs);
  }
  Bytes& tensor(std::string_view name, const std::vector<uint64_t>& ne, uint32_t type_id,
                uint64_t offset) {
    text(name).number(static_cast<uint32_t>(ne.size()));
    for (const uint64_t n : ne) number(n);
    return number(type_id).number(offset);
  }
  Bytes& pad(size_t alignment = 32) {
    resize((size() + alignment - 1) / alignment * alignment, '\0');
    return *this;
  }
};

inline gguf::File open_bytes(std::string_view s, const std::string& name = "m.gguf") {
  return gguf::File::from_bytes(name, {reinterpret_cast<const uint8_t*>(s.data()), s.size()});
}

// The message of the Error of bad input that action throws; "" where it throws none.
template <typename Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_input);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return "";
}

}  // namespace plumb::test
