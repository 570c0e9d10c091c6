// Keys and values of a file: an index of offsets, and the typed readers that say what they
// expected.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/text.h"
#include "gguf/cursor.h"
#include "gguf/gguf.h"
#include "gguf/pair.h"

namespace plumb::gguf {
namespace {

[[noreturn]] void reject(const Metadata& m, std::string_view key, const std::string& expected,
                         const Value& got) {
  fail("[gguf] {}: key {}: expected {}, got {}", m.file_name(), quoted(key), expected,
       describe(got));
}

[[noreturn]] void missing(const Metadata& m, std::string_view key) {
  fail("[gguf] {}: expected a key {}, got none", m.file_name(), quoted(key));
}

int64_t to_integer(const Metadata& m, std::string_view key, const Value& value, int64_t min,
                   int64_t max) {
  const auto* x = std::get_if<int64_t>(&value);
  if (!x || *x < min || *x > max)
    reject(m, key, fmt::format("an integer of {}..{}", min, max), value);
  return *x;
}

double to_number(const Metadata& m, std::string_view key, const Value& value) {
  double x = NAN;
  if (const auto* d = std::get_if<double>(&value)) x = *d;
  if (const auto* i = std::get_if<int64_t>(&value)) x = static_cast<double>(*i);
  if (const auto* u = std::get_if<uint64_t>(&value)) x = static_cast<double>(*u);
  if (!std::isfinite(x)) reject(m, key, "a finite number", value);
  return x;
}

const Array& to_array(const Metadata& m, std::string_view key, const Value& value,
                      const std::string& of) {
  const auto* array = std::get_if<Array>(&value);
  if (!array) reject(m, key, "an array of " + of, value);
  return *array;
}

// The numbers of an array, each through convert(Value).
template <typename T, typename Convert>
std::vector<T> numbers_of(const Metadata& m, std::string_view key, const Value& value,
                          const char* of, Convert convert) {
  const Array& array = to_array(m, key, value, of);
  if (array.size() > Metadata::kMostNumbers || array.type() == ValueType::string)
    reject(m, key, fmt::format("an array of at most {} {}", Metadata::kMostNumbers, of), value);
  std::vector<T> out;
  out.reserve(static_cast<size_t>(array.size()));
  for (int64_t i = 0; i < array.size(); ++i) out.push_back(convert(element(array, i)));
  return out;
}

}  // namespace

void Strings::Iterator::read() {
  if (left_ <= 0 || rest_.size() < sizeof(uint64_t)) {
    text_ = {};
    return;
  }
  text_ = text_at(rest_, 0);
  rest_ = rest_.subspan(sizeof(uint64_t) + text_.size());
}

Metadata Metadata::read(Cursor& cursor, uint64_t n_pairs, std::span<const uint8_t> bytes) {
  Metadata m;
  m.file_name_ = cursor.file();
  m.bytes_ = bytes;
  m.entries_.reserve(n_pairs);
  for (uint64_t i = 0; i < n_pairs; ++i) {
    cursor.enter({.what = "key", .index = static_cast<int64_t>(i)});
    m.entries_.push_back(cursor.at());
    cursor.name(kLongestKey);
    read_value(cursor);
  }
  m.by_key_.resize(m.entries_.size());
  std::iota(m.by_key_.begin(), m.by_key_.end(), 0u);
  std::ranges::sort(m.by_key_, {}, [&](uint32_t i) { return m.key(i); });
  const auto twice =
      std::ranges::adjacent_find(m.by_key_, {}, [&](uint32_t i) { return m.key(i); });
  if (twice != m.by_key_.end())
    fail("[gguf] {}: key {}: expected once, got it twice", m.file_name_, quoted(m.key(*twice)));
  return m;
}

std::string_view Metadata::key(int64_t index) const {
  return text_at(bytes_, entries_[static_cast<size_t>(index)]);
}

Value Metadata::value(int64_t index) const {
  Cursor cursor(file_name_, bytes_, entries_[static_cast<size_t>(index)]);
  cursor.text("name");
  return read_value(cursor);
}

std::optional<int64_t> Metadata::index_of(std::string_view key) const {
  const auto at =
      std::ranges::lower_bound(by_key_, key, {}, [&](uint32_t i) { return this->key(i); });
  if (at == by_key_.end() || this->key(*at) != key) return std::nullopt;
  return *at;
}

std::optional<Value> Metadata::find(std::string_view key) const {
  const auto index = index_of(key);
  return index ? std::optional(value(*index)) : std::nullopt;
}

std::optional<std::span<const uint8_t>> Metadata::raw(std::string_view key) const {
  const auto index = index_of(key);
  if (!index) return std::nullopt;
  Cursor cursor(file_name_, bytes_, entries_[static_cast<size_t>(*index)]);
  cursor.text("name");
  const uint64_t begin = cursor.at();
  read_value(cursor);
  return bytes_.subspan(begin, cursor.at() - begin);
}

int64_t Metadata::integer(std::string_view key, int64_t min, int64_t max) const {
  const auto v = find(key);
  if (!v) missing(*this, key);
  return to_integer(*this, key, *v, min, max);
}

int64_t Metadata::integer_or(std::string_view key, int64_t fallback, int64_t min,
                             int64_t max) const {
  const auto v = find(key);
  return v ? to_integer(*this, key, *v, min, max) : fallback;
}

double Metadata::number(std::string_view key) const {
  const auto v = find(key);
  if (!v) missing(*this, key);
  return to_number(*this, key, *v);
}

double Metadata::number_or(std::string_view key, double fallback) const {
  const auto v = find(key);
  return v ? to_number(*this, key, *v) : fallback;
}

bool Metadata::boolean_or(std::string_view key, bool fallback) const {
  const auto v = find(key);
  if (!v) return fallback;
  const auto* x = std::get_if<bool>(&*v);
  if (!x) reject(*this, key, "true or false", *v);
  return *x;
}

std::string_view Metadata::string(std::string_view key, size_t longest) const {
  const auto v = find(key);
  if (!v) missing(*this, key);
  const auto* x = std::get_if<std::string_view>(&*v);
  if (!x) reject(*this, key, "a string", *v);
  if (x->size() > longest)
    fail("[gguf] {}: key {}: expected a string of at most {} bytes, got {} bytes", file_name_,
         quoted(key), longest, x->size());
  return *x;
}

std::string_view Metadata::string_or(std::string_view key, std::string_view fallback,
                                     size_t longest) const {
  return has(key) ? string(key, longest) : fallback;
}

Strings Metadata::strings(std::string_view key) const {
  const auto v = find(key);
  if (!v) missing(*this, key);
  const Array& array = to_array(*this, key, *v, "strings");
  if (array.type() != ValueType::string) reject(*this, key, "an array of strings", *v);
  return Strings(array);
}

std::vector<int64_t> Metadata::integers_or_empty(std::string_view key) const {
  const auto v = find(key);
  if (!v) return {};
  return numbers_of<int64_t>(*this, key, *v, "integers", [&](const Value& x) {
    return to_integer(*this, key, x, INT64_MIN, INT64_MAX);
  });
}

std::vector<double> Metadata::numbers_or_empty(std::string_view key) const {
  const auto v = find(key);
  if (!v) return {};
  return numbers_of<double>(*this, key, *v, "numbers",
                            [&](const Value& x) { return to_number(*this, key, x); });
}

std::vector<int64_t> Metadata::per_layer(std::string_view key, int64_t n_layers, int64_t min,
                                         int64_t max) const {
  const auto v = find(key);
  if (!v) missing(*this, key);
  if (n_layers < 0 || n_layers > kMostLayers)
    fail("[gguf] {}: key {}: expected at most {} layers, got {}", file_name_, quoted(key),
         kMostLayers, n_layers);
  const auto convert = [&](const Value& x) { return to_integer(*this, key, x, min, max); };
  const auto* array = std::get_if<Array>(&*v);
  if (!array) return std::vector<int64_t>(static_cast<size_t>(n_layers), convert(*v));
  if (array->size() != n_layers)
    reject(*this, key, fmt::format("one integer or one for each of {} layers", n_layers), *v);
  return numbers_of<int64_t>(*this, key, *v, "integers", convert);
}

std::vector<int64_t> Metadata::per_layer_or(std::string_view key, int64_t n_layers,
                                            int64_t fallback, int64_t min, int64_t max) const {
  if (has(key)) return per_layer(key, n_layers, min, max);
  if (n_layers < 0 || n_layers > kMostLayers)
    fail("[gguf] {}: key {}: expected at most {} layers, got {}", file_name_, quoted(key),
         kMostLayers, n_layers);
  return std::vector<int64_t>(static_cast<size_t>(n_layers), fallback);
}

}  // namespace plumb::gguf
