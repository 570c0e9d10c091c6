#pragma once
// A GGUF file (versions 2 and 3, little-endian), or the set of files of a split model, opened by
// its first part. Everything is a view on the mapped bytes, decoded when asked for: opening keeps
// eight bytes per key and per tensor, so that memory stays bounded by the file's own size whatever
// its header claims. The file is untrusted: every count, length, product, offset and alignment is
// checked against what remains when it is opened, and Error names file, field or tensor, expected,
// got.

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/file.h"
#include "formats/format.h"

namespace plumb::gguf {

class Cursor;

enum class ValueType : uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};
std::string_view value_type_name(ValueType type);

// An array in the file: element type, count, and the packed bytes. No nested arrays (the reference
// reader has none either).
class Array {
 public:
  Array(ValueType type, int64_t count, std::span<const uint8_t> bytes)
      : type_(type), count_(count), bytes_(bytes) {}
  ValueType type() const { return type_; }
  int64_t size() const { return count_; }
  std::span<const uint8_t> bytes() const { return bytes_; }

 private:
  ValueType type_;
  int64_t count_;
  std::span<const uint8_t> bytes_;
};

// A string array in the file, decoded while it is walked: for (std::string_view text : strings).
class Strings {
 public:
  class Iterator {
   public:
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    Iterator(std::span<const uint8_t> bytes, int64_t left) : rest_(bytes), left_(left) { read(); }
    std::string_view operator*() const { return text_; }
    Iterator& operator++() {
      --left_;
      read();
      return *this;
    }
    Iterator operator++(int) {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator& other) const { return left_ == other.left_; }

   private:
    void read();  // the lengths were checked when the file was opened; nothing leaves the array

    std::span<const uint8_t> rest_;
    std::string_view text_;
    int64_t left_ = 0;
  };

  using value_type = std::string_view;
  using const_iterator = Iterator;

  explicit Strings(const Array& array) : array_(array) {}
  int64_t size() const { return array_.size(); }
  Iterator begin() const { return {array_.bytes(), array_.size()}; }
  Iterator end() const { return {{}, 0}; }

 private:
  Array array_;
};

// Integers of any width arrive as int64_t or (only above its range) uint64_t; f32 and f64 as
// double.
using Value = std::variant<int64_t, uint64_t, double, bool, std::string_view, Array>;

// Keys and values. The typed readers accept any integer width (writers differ) but never lose a
// value: an integer outside the asked range, or another type, is an Error that names file, key,
// expected and got. "has no such key" is an Error in the plain form and the fallback in the _or
// form.
class Metadata {
 public:
  std::optional<Value> find(std::string_view key) const;
  bool has(std::string_view key) const { return index_of(key).has_value(); }

  int64_t integer(std::string_view key, int64_t min = 0, int64_t max = INT32_MAX) const;
  int64_t integer_or(std::string_view key, int64_t fallback, int64_t min = 0,
                     int64_t max = INT32_MAX) const;
  double number(std::string_view key) const;  // f32, f64 or integer; finite
  double number_or(std::string_view key, double fallback) const;
  bool boolean_or(std::string_view key, bool fallback) const;

  // At most `longest` bytes. kLongestName is enough for what names or describes something, and lets
  // callers copy it without a thought.
  static constexpr size_t kLongestName = 4096;
  std::string_view string(std::string_view key, size_t longest = kLongestName) const;
  std::string_view string_or(std::string_view key, std::string_view fallback,
                             size_t longest = kLongestName) const;

  // Arrays. Absent: an Error, or empty in the _or_empty form. Strings are views into the file;
  // numbers are copied out, at most kMostNumbers.
  static constexpr int64_t kMostNumbers = int64_t{1} << 23;
  Strings strings(std::string_view key) const;
  std::vector<int64_t> integers_or_empty(std::string_view key) const;
  std::vector<double> numbers_or_empty(std::string_view key) const;

  // A value that is one integer for all layers in some files and one per layer in others: n_layers
  // values. An Error beyond kMostLayers, so that a hostile layer count allocates nothing.
  static constexpr int64_t kMostLayers = 65536;
  std::vector<int64_t> per_layer(std::string_view key, int64_t n_layers, int64_t min = 0,
                                 int64_t max = INT32_MAX) const;
  std::vector<int64_t> per_layer_or(std::string_view key, int64_t n_layers, int64_t fallback,
                                    int64_t min = 0, int64_t max = INT32_MAX) const;

  int64_t size() const { return static_cast<int64_t>(entries_.size()); }
  std::string_view key(int64_t index) const;  // in file order
  Value value(int64_t index) const;

  // Value type and value of a key, as they stand in the file.
  std::optional<std::span<const uint8_t>> raw(std::string_view key) const;

  const std::string& file_name() const { return file_name_; }  // for messages

 private:
  friend class File;
  static Metadata read(Cursor& cursor, uint64_t n_pairs, std::span<const uint8_t> bytes);

  std::optional<int64_t> index_of(std::string_view key) const;

  // the mapped bytes of the part that holds the keys; offsets of its pairs in file order; the same
  // sorted by key
  std::string file_name_;
  std::span<const uint8_t> bytes_;
  std::vector<uint64_t> entries_;
  std::vector<uint32_t> by_key_;
};

// A tensor in the file. ne[0] is contiguous; missing dimensions are 1. A weight [in, out] is `out`
// rows of `in` values.
struct TensorView {
  std::string_view name;
  Format format;
  int n_dims;
  std::array<int64_t, 4> ne;
  std::span<const uint8_t> data;  // exactly the tensor's bytes, in the mapped file
  int part = 0;                   // which file of a split model

  // cannot overflow: checked when the file was opened
  int64_t n_elements() const { return ne[0] * ne[1] * ne[2] * ne[3]; }
};

class File {
 public:
  // Opens a model by its only or first part, and the other parts beside it.
  static File open(const std::filesystem::path& path);
  // The same for a file in memory, which is copied; name stands for it in messages. Never a split
  // model.
  static File from_bytes(const std::string& name, std::span<const uint8_t> bytes);

  const Metadata& metadata() const { return metadata_; }
  int64_t n_tensors() const { return static_cast<int64_t>(tensors_.size()); }
  TensorView tensor(int64_t index) const;  // in file order, parts one after another
  std::optional<TensorView> find_tensor(std::string_view name) const;

  const std::filesystem::path& path() const { return parts_.front().path; }
  int64_t file_bytes() const;  // all parts
  int n_parts() const { return static_cast<int>(parts_.size()); }

  // Lets the system drop these bytes of a tensor (a weight that was repacked) from memory.
  void release(std::span<const uint8_t> data) const;
  // The same for all that has been read so far; what is asked for again is read again.
  void release() const;

 private:
  struct Part {
    std::filesystem::path path;
    std::string name;  // of the path, for messages
    std::optional<MappedFile> mapped;
    std::vector<uint8_t> copied;  // where nothing is mapped
    uint64_t data_start = 0;
    std::span<const uint8_t> bytes() const { return mapped ? mapped->bytes() : copied; }
  };
  struct TensorRef {
    uint64_t descriptor : 48;  // offset of the descriptor in its part
    uint64_t part : 16;
  };

  File() = default;
  static Part map_part(const std::filesystem::path& path);
  Metadata add_part(Part added);
  void add_tensors(Cursor& cursor, uint64_t n_tensors);
  void open_other_parts();
  void index_names();
  void check_data(size_t first_tensor, uint64_t alignment) const;
  std::string_view name_of(const TensorRef& ref) const;

  std::vector<Part> parts_;
  Metadata metadata_;
  std::vector<TensorRef> tensors_;
  std::vector<uint32_t> by_name_;
};

}  // namespace plumb::gguf
