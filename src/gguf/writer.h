#pragma once
// Writes GGUF version 3. Keys and tensors are collected in order, then written in one pass under a
// temporary name that becomes the final one only when complete. For tests, tools and (later)
// quantize. A key or tensor given twice is a broken invariant (CHECK).

#include <cstdint>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/gguf.h"

namespace plumb::gguf {

class Writer {
 public:
  explicit Writer(uint32_t alignment = 32);

  void add(std::string_view key, uint32_t value);
  void add(std::string_view key, int32_t value);
  void add(std::string_view key, uint64_t value);
  void add(std::string_view key, uint16_t value);
  void add(std::string_view key, float value);
  void add(std::string_view key, bool value);
  void add(std::string_view key, std::string_view value);
  void add(std::string_view key, const char* value) { add(key, std::string_view(value)); }
  void add(std::string_view key, std::span<const std::string> values);
  void add(std::string_view key, std::span<const int32_t> values);
  void add(std::string_view key, std::span<const float> values);
  void add(std::string_view key, const std::vector<bool>& values);
  void copy(const Metadata& from,
            std::string_view key);  // any value, as it stands; must exist (CHECK)

  // The data is copied; its size must be what format and shape say (CHECK).
  void add_tensor(std::string_view name, Format format, std::vector<int64_t> ne,
                  std::span<const uint8_t> data);
  // Encodes floats into the format (which must have an encoder).
  void add_tensor(std::string_view name, Format format, std::vector<int64_t> ne,
                  std::span<const float> values);

  // A tensor without data, for files whose shapes are all that is wanted: zeros that take no room
  // on the disk. Only with write().
  void add_hole(std::string_view name, Format format, std::vector<int64_t> ne);

  std::string bytes() const;   // the whole file
  int64_t data_bytes() const;  // of all tensors, holes included
  void write(const std::filesystem::path& path) const;

 private:
  void begin_pair(std::string_view key);
  template <typename T>
  void add_number(std::string_view key, ValueType type, T value);
  template <typename T>
  void add_numbers(std::string_view key, ValueType type, std::span<const T> values);
  struct Tensor {
    std::string name;
    Format format;
    std::vector<int64_t> ne;
    std::vector<uint8_t> data;
    int64_t size;  // of the data, or of the hole
  };
  void add_tensor(std::string_view name, Format format, std::vector<int64_t> ne,
                  std::vector<uint8_t> data, int64_t size);
  std::string header() const;
  uint32_t alignment_;
  uint64_t n_pairs_ = 0;
  std::string pairs_;
  std::vector<Tensor> tensors_;
  std::set<std::string, std::less<>> keys_, names_;  // each once
};

}  // namespace plumb::gguf
