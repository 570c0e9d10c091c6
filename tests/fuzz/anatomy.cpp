#include "fuzz/anatomy.h"

#include <algorithm>

namespace plumb::test {
namespace {

using gguf::ValueType;

std::string as_string(std::span<const uint8_t> bytes) {
  return {bytes.begin(), bytes.end()};
}

std::string text_bytes(std::string_view s) {
  return bytes_of<uint64_t>(s.size()).append(s);
}

uint64_t u64_at(std::string_view bytes, size_t at) {
  uint64_t value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// Writes a file and notes where its fields are.
class Assembler {
 public:
  explicit Assembler(const RawFile& file) : file_(file) {}

  Assembled run() {
    header();
    for (const RawPair& pair : file_.pairs) add_pair(pair);
    uint64_t end = 0;
    for (const RawTensor& t : file_.tensors) end = descriptor(t, align(end));
    out_.needed = out_.bytes.size();
    pad();
    if (!file_.tensors.empty()) add_data();
    return std::move(out_);
  }

 private:
  uint64_t align(uint64_t n) const {
    return (n + file_.alignment - 1) / file_.alignment * file_.alignment;
  }
  void border() { out_.borders.push_back(out_.bytes.size()); }
  void pad() { out_.bytes.resize(align(out_.bytes.size()), '\0'); }

  template <typename T>
  void field(FieldKind kind, T value) {
    border();
    out_.fields.push_back({kind, out_.bytes.size(), sizeof value, of_});
    out_.bytes += bytes_of(value);
  }

  void header() {
    field(FieldKind::magic, uint32_t{0x46554747});
    field(FieldKind::version, file_.version);
    field(FieldKind::tensor_count, uint64_t{file_.tensors.size()});
    field(FieldKind::pair_count, uint64_t{file_.pairs.size()});
  }

  void add_pair(const RawPair& pair) {
    of_ = pair.key;
    field(FieldKind::key_length, uint64_t{pair.key.size()});
    border();
    out_.bytes += pair.key;
    field(FieldKind::value_type, pair.type);
    border();
    note_value(pair);
    out_.bytes += pair.value;
  }

  // The fields inside of a value, which is about to be written.
  void note_value(const RawPair& pair) {
    const size_t at = out_.bytes.size();
    const auto note = [&](FieldKind kind, size_t offset, size_t bytes) {
      out_.fields.push_back({kind, at + offset, bytes, of_});
      out_.borders.push_back(at + offset);
    };
    if (pair.type == static_cast<uint32_t>(ValueType::string))
      return note(FieldKind::string_length, 0, 8);
    if (pair.type != static_cast<uint32_t>(ValueType::array))
      return note(FieldKind::number, 0, pair.value.size());
    note(FieldKind::element_type, 0, 4);
    note(FieldKind::element_count, 4, 8);
    if (pair.value[0] != static_cast<char>(ValueType::string)) return;
    const uint64_t count = u64_at(pair.value, 4);
    size_t element = 12;
    for (uint64_t i = 0; i < count; ++i) {
      if (i < 3 || i + 1 == count) note(FieldKind::element_length, element, 8);
      element += 8 + u64_at(pair.value, element);
    }
  }

  // Returns where the tensor's data ends.
  uint64_t descriptor(const RawTensor& t, uint64_t next_offset) {
    of_ = t.name;
    field(FieldKind::name_length, uint64_t{t.name.size()});
    border();
    out_.bytes += t.name;
    field(FieldKind::n_dims, static_cast<uint32_t>(t.ne.size()));
    for (const uint64_t n : t.ne) field(FieldKind::dim, n);
    field(FieldKind::tensor_type, t.type);
    const uint64_t offset = t.offset.value_or(next_offset);
    field(FieldKind::offset, offset);
    return offset + t.data.size();
  }

  void add_data() {
    for (const RawTensor& t : file_.tensors) {
      border();
      out_.bytes += t.data;
      out_.needed = out_.bytes.size();
      pad();
    }
  }

  const RawFile& file_;
  Assembled out_;
  std::string of_;
};

}  // namespace

RawPair* RawFile::pair(std::string_view key) {
  const auto at = std::ranges::find(pairs, key, &RawPair::key);
  return at == pairs.end() ? nullptr : &*at;
}

RawTensor* RawFile::tensor(std::string_view name) {
  const auto at = std::ranges::find(tensors, name, &RawTensor::name);
  return at == tensors.end() ? nullptr : &*at;
}

void RawFile::remove_pair(std::string_view key) {
  std::erase_if(pairs, [&](const RawPair& p) { return p.key == key; });
}

void RawFile::remove_tensor(std::string_view name) {
  std::erase_if(tensors, [&](const RawTensor& t) { return t.name == name; });
}

void RawFile::set(std::string_view key, ValueType type, std::string value) {
  const RawPair changed{std::string(key), static_cast<uint32_t>(type), std::move(value)};
  if (RawPair* p = pair(key))
    *p = changed;
  else
    pairs.push_back(changed);
}

void RawFile::set_string(std::string_view key, std::string_view value) {
  set(key, ValueType::string, text_bytes(value));
}

void RawFile::set_array(std::string_view key, ValueType element, uint64_t count,
                        const std::string& elements) {
  set(key, ValueType::array, bytes_of(static_cast<uint32_t>(element)) + bytes_of(count) + elements);
}

void RawFile::set_strings(std::string_view key, const std::vector<std::string>& values) {
  std::string elements;
  for (const std::string& v : values) elements += text_bytes(v);
  set_array(key, ValueType::string, values.size(), elements);
}

std::vector<std::string> RawFile::strings(std::string_view key) const {
  const auto at = std::ranges::find(pairs, key, &RawPair::key);
  std::vector<std::string> out;
  if (at == pairs.end()) return out;
  size_t element = 12;
  for (uint64_t i = u64_at(at->value, 4); i > 0; --i) {
    const uint64_t length = u64_at(at->value, element);
    out.push_back(at->value.substr(element + 8, length));
    element += 8 + length;
  }
  return out;
}

RawFile take_apart(std::string_view bytes) {
  const auto file = gguf::File::from_bytes(
      "whole.gguf", {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  const gguf::Metadata& m = file.metadata();
  RawFile out;
  out.alignment = static_cast<uint64_t>(m.integer_or("general.alignment", 32));
  for (int64_t i = 0; i < m.size(); ++i) {
    const std::string raw = as_string(*m.raw(m.key(i)));
    uint32_t type;
    std::memcpy(&type, raw.data(), sizeof type);
    out.pairs.push_back({std::string(m.key(i)), type, raw.substr(4)});
  }
  for (int64_t i = 0; i < file.n_tensors(); ++i) {
    const gguf::TensorView t = file.tensor(i);
    out.tensors.push_back({std::string(t.name),
                           {t.ne.begin(), t.ne.begin() + t.n_dims},
                           static_cast<uint32_t>(t.format),
                           as_string(t.data),
                           {}});
  }
  return out;
}

Assembled put_together(const RawFile& file) {
  return Assembler(file).run();
}

}  // namespace plumb::test
