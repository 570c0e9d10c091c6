#include "gguf/writer.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "gguf/pair.h"

namespace plumb::gguf {
namespace {

template <typename T>
void put(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

void put_type(std::string& out, ValueType type) {
  put(out, static_cast<uint32_t>(type));
}

void put_text(std::string& out, std::string_view text) {
  put<uint64_t>(out, text.size());
  out += text;
}

void pad(std::string& out, size_t alignment) {
  out.resize((out.size() + alignment - 1) / alignment * alignment, '\0');
}

int64_t n_elements(const std::vector<int64_t>& ne) {
  int64_t n = 1;
  for (const int64_t dim : ne) n *= dim;
  return n;
}

}  // namespace

Writer::Writer(uint32_t alignment) : alignment_(alignment) {
  CHECK(std::has_single_bit(alignment), "alignment {}", alignment);
  if (alignment != 32) add("general.alignment", alignment);
}

void Writer::begin_pair(std::string_view key) {
  CHECK(keys_.emplace(key).second, "key {} twice", key);
  ++n_pairs_;
  put_text(pairs_, key);
}

template <typename T>
void Writer::add_number(std::string_view key, ValueType type, T value) {
  begin_pair(key);
  put_type(pairs_, type);
  put(pairs_, value);
}

template <typename T>
void Writer::add_numbers(std::string_view key, ValueType type, std::span<const T> values) {
  begin_pair(key);
  put_type(pairs_, ValueType::array);
  put_type(pairs_, type);
  put<uint64_t>(pairs_, values.size());
  for (const T value : values) put(pairs_, value);
}

void Writer::add(std::string_view key, uint32_t value) {
  add_number(key, ValueType::u32, value);
}
void Writer::add(std::string_view key, int32_t value) {
  add_number(key, ValueType::i32, value);
}
void Writer::add(std::string_view key, uint64_t value) {
  add_number(key, ValueType::u64, value);
}
void Writer::add(std::string_view key, uint16_t value) {
  add_number(key, ValueType::u16, value);
}
void Writer::add(std::string_view key, float value) {
  add_number(key, ValueType::f32, value);
}
void Writer::add(std::string_view key, bool value) {
  add_number(key, ValueType::boolean, static_cast<uint8_t>(value));
}

void Writer::add(std::string_view key, std::string_view value) {
  begin_pair(key);
  put_type(pairs_, ValueType::string);
  put_text(pairs_, value);
}

void Writer::add(std::string_view key, std::span<const std::string> values) {
  begin_pair(key);
  put_type(pairs_, ValueType::array);
  put_type(pairs_, ValueType::string);
  put<uint64_t>(pairs_, values.size());
  for (const std::string& value : values) put_text(pairs_, value);
}

void Writer::add(std::string_view key, std::span<const int32_t> values) {
  add_numbers(key, ValueType::i32, values);
}
void Writer::add(std::string_view key, std::span<const float> values) {
  add_numbers(key, ValueType::f32, values);
}

void Writer::add(std::string_view key, const std::vector<bool>& values) {
  begin_pair(key);
  put_type(pairs_, ValueType::array);
  put_type(pairs_, ValueType::boolean);
  put<uint64_t>(pairs_, values.size());
  for (const bool value : values) put<uint8_t>(pairs_, value);
}

void Writer::copy(const Metadata& from, std::string_view key) {
  const std::optional<std::span<const uint8_t>> raw = from.raw(key);
  CHECK(raw, "no key {} to copy", key);
  begin_pair(key);
  pairs_.append(raw->begin(), raw->end());
}

void Writer::add_tensor(std::string_view name, Format format, std::vector<int64_t> ne,
                        std::span<const uint8_t> data) {
  add_tensor(name, format, std::move(ne), std::vector<uint8_t>(data.begin(), data.end()),
             static_cast<int64_t>(data.size()));
}

void Writer::add_hole(std::string_view name, Format format, std::vector<int64_t> ne) {
  const int64_t size = format_bytes(format, n_elements(ne));
  add_tensor(name, format, std::move(ne), {}, size);
}

void Writer::add_tensor(std::string_view name, Format format, std::vector<int64_t> ne,
                        std::vector<uint8_t> data, int64_t size) {
  const int64_t columns = ne.empty() ? 1 : ne[0];
  CHECK(columns % format_info(format).block_elems == 0, "tensor {}: rows of {} in blocks of {}",
        name, columns, format_info(format).block_elems);
  const int64_t expected = format_bytes(format, n_elements(ne));
  CHECK(size == expected, "tensor {}: {} bytes, expected {}", name, size, expected);
  CHECK(ne.size() <= 4, "tensor {}: {} dimensions", name, ne.size());
  CHECK(names_.emplace(name).second, "tensor {} twice", name);
  tensors_.push_back({std::string(name), format, std::move(ne), std::move(data), size});
}

void Writer::add_tensor(std::string_view name, Format format, std::vector<int64_t> ne,
                        std::span<const float> values) {
  const FormatInfo& info = format_info(format);
  CHECK(info.encode, "no encoder of {}", info.name);
  const auto n = static_cast<int64_t>(values.size());
  CHECK(n == n_elements(ne), "tensor {}: {} values, expected {}", name, n, n_elements(ne));
  std::vector<uint8_t> data(static_cast<size_t>(format_bytes(format, n)));
  info.encode(values.data(), data.data(), n);
  add_tensor(name, format, std::move(ne), data);
}

std::string Writer::header() const {
  std::string out = "GGUF";
  put<uint32_t>(out, 3);
  put<uint64_t>(out, tensors_.size());
  put<uint64_t>(out, n_pairs_);
  out += pairs_;
  uint64_t offset = 0;
  for (const Tensor& t : tensors_) {
    put_text(out, t.name);
    put(out, static_cast<uint32_t>(t.ne.size()));
    for (const int64_t dim : t.ne) put(out, static_cast<uint64_t>(dim));
    put(out, static_cast<uint32_t>(t.format));
    put(out, offset);
    offset = (offset + static_cast<uint64_t>(t.size) + alignment_ - 1) / alignment_ * alignment_;
  }
  pad(out, alignment_);
  return out;
}

int64_t Writer::data_bytes() const {
  int64_t all = 0;
  for (const Tensor& t : tensors_) all += t.size;
  return all;
}

std::string Writer::bytes() const {
  std::string out = header();
  for (const Tensor& t : tensors_) {
    CHECK(t.data.size() == static_cast<size_t>(t.size), "tensor {} is a hole", t.name);
    out.append(t.data.begin(), t.data.end());
    pad(out, alignment_);
  }
  return out;
}

void Writer::write(const std::filesystem::path& path) const {
  const bool whole = std::all_of(tensors_.begin(), tensors_.end(), [](const Tensor& t) {
    return t.data.size() == static_cast<size_t>(t.size);
  });
  if (whole) return write_file(path, bytes());
  const std::string first = header();
  write_file(path, first);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  auto at = static_cast<int64_t>(first.size());
  for (const Tensor& t : tensors_) {
    file.seekp(at);
    file.write(reinterpret_cast<const char*>(t.data.data()),
               static_cast<std::streamsize>(t.data.size()));
    at = (at + t.size + alignment_ - 1) / alignment_ * alignment_;
  }
  if (!file.flush()) fail("{}: expected a file that can be written", path.string());
  file.close();
  std::filesystem::resize_file(path, static_cast<uintmax_t>(at));
}

}  // namespace plumb::gguf
