#pragma once
// A GGUF file taken apart into pieces that can be made wrong one by one and put together again, and
// a map of where every field of the result lies.

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/gguf.h"

namespace plumb::test {

// Bytes of a number, little-endian.
template <typename T>
std::string bytes_of(T value) {
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

struct RawPair {
  std::string key;
  uint32_t type;      // of the value
  std::string value;  // as it stands in the file
};

struct RawTensor {
  std::string name;
  std::vector<uint64_t> ne;
  uint32_t type;
  std::string data;
  std::optional<uint64_t> offset;  // none: after the tensor before, aligned
};

// What a field of the file is.
enum class FieldKind {
  magic,
  version,
  tensor_count,
  pair_count,
  key_length,
  value_type,
  number,          // a value that is one number or bool
  string_length,   // of a value
  element_type,    // of an array
  element_count,   // of an array
  element_length,  // of a string in an array
  name_length,     // of a tensor
  n_dims,
  dim,
  tensor_type,
  offset
};

struct Field {
  FieldKind kind;
  size_t at;
  size_t bytes;
  std::string of;  // key or tensor; "" in the header
};

struct RawFile {
  uint32_t version = 3;
  uint64_t alignment = 32;
  std::vector<RawPair> pairs;
  std::vector<RawTensor> tensors;

  RawPair* pair(std::string_view key);
  RawTensor* tensor(std::string_view name);
  void remove_pair(std::string_view key);
  void remove_tensor(std::string_view name);
  // Replaces the value of a key, or adds the key.
  void set(std::string_view key, gguf::ValueType type, std::string value);
  template <typename T>
  void set_number(std::string_view key, gguf::ValueType type, T value) {
    set(key, type, bytes_of(value));
  }
  void set_string(std::string_view key, std::string_view value);
  void set_array(std::string_view key, gguf::ValueType element, uint64_t count,
                 const std::string& elements);
  void set_strings(std::string_view key, const std::vector<std::string>& values);
  std::vector<std::string> strings(std::string_view key) const;
};

RawFile take_apart(std::string_view bytes);

struct Assembled {
  std::string bytes;
  std::vector<Field> fields;    // of long string arrays only the first and last strings
  std::vector<size_t> borders;  // where one piece ends and the next begins, data included
  size_t needed = 0;            // a file cut before this byte is not whole
};
Assembled put_together(const RawFile& file);

}  // namespace plumb::test
