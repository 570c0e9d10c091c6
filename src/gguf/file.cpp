// Opening a GGUF file: header, keys, tensor descriptors, data ranges, and the other parts of a
// split model.

#include <algorithm>
#include <bit>
#include <functional>
#include <numeric>

#include "base/text.h"
#include "gguf/cursor.h"
#include "gguf/descriptor.h"
#include "gguf/gguf.h"
#include "gguf/pair.h"
#include "gguf/split.h"

namespace plumb::gguf {
namespace {

constexpr int64_t kMostParts = 65535;  // split.count is a u16

void read_magic(Cursor& cursor) {
  const auto magic = cursor.take(1, 4, "magic");
  const std::string_view got(reinterpret_cast<const char*>(magic.data()), magic.size());
  if (got != "GGUF") cursor.reject("magic", "\"GGUF\" (is this a GGUF file?)", quoted(got));
}

void read_version(Cursor& cursor) {
  const auto version = cursor.number<uint32_t>("version");
  if (version != 0 && (version & 0xffff) == 0)
    cursor.reject("version", "a little-endian file", "a big-endian one, which plumb does not read");
  if (version == 1)
    cursor.reject("version", "2 or 3", "1, an early layout that nothing writes any more");
  if (version != 2 && version != 3) cursor.reject("version", "2 or 3", fmt::format("{}", version));
}

// Refuses a count of things that take at least `smallest` bytes each where fewer remain, before
// anything is allocated for them.
void check_count(const Cursor& cursor, std::string_view field, uint64_t count, uint64_t smallest) {
  const uint64_t most = std::min<uint64_t>(cursor.remaining() / smallest, INT32_MAX);
  if (count > most)
    cursor.reject(field, fmt::format("at most {}, {} bytes remain", most, cursor.remaining()),
                  fmt::format("{}", count));
}

uint64_t read_alignment(const Metadata& metadata) {
  const auto alignment =
      static_cast<uint64_t>(metadata.integer_or("general.alignment", 32, 1, UINT32_MAX));
  if (!std::has_single_bit(alignment))
    fail("[gguf] {}: key \"general.alignment\": expected a power of two, got {}",
         metadata.file_name(), alignment);
  return alignment;
}

}  // namespace

File File::open(const std::filesystem::path& path) {
  File file;
  file.metadata_ = file.add_part(map_part(path));
  file.open_other_parts();
  file.index_names();
  return file;
}

File File::from_bytes(const std::string& name, std::span<const uint8_t> bytes) {
  File file;
  file.metadata_ = file.add_part(
      {.path = name, .name = name, .mapped = {}, .copied = {bytes.begin(), bytes.end()}});
  if (file.metadata_.integer_or("split.count", 1, 0, kMostParts) > 1)
    fail("[gguf] {}: key \"split.count\": expected a model in one part, got a split one in memory",
         name);
  file.index_names();
  return file;
}

File::Part File::map_part(const std::filesystem::path& path) {
  return {.path = path, .name = path.string(), .mapped = MappedFile(path), .copied = {}};
}

// Takes a part in: reads its header, keeps its tensors, returns its keys.
Metadata File::add_part(Part added) {
  Part& part = parts_.emplace_back(std::move(added));
  Cursor cursor(part.name, part.bytes());
  cursor.enter({.what = "header"});
  read_magic(cursor);
  read_version(cursor);
  const auto n_tensors = cursor.number<uint64_t>("tensor count");
  const auto n_pairs = cursor.number<uint64_t>("key count");
  check_count(cursor, "key count", n_pairs, kSmallestPair);
  Metadata metadata = Metadata::read(cursor, n_pairs, part.bytes());
  cursor.enter({.what = "header"});
  check_count(cursor, "tensor count", n_tensors, kSmallestDescriptor);
  const size_t first = tensors_.size();
  add_tensors(cursor, n_tensors);
  const uint64_t alignment = read_alignment(metadata);
  part.data_start = (cursor.at() + alignment - 1) / alignment * alignment;
  check_data(first, alignment);
  return metadata;
}

void File::add_tensors(Cursor& cursor, uint64_t n_tensors) {
  const size_t total = tensors_.size() + n_tensors;
  if (total > INT32_MAX)
    fail("[gguf] {}: expected at most {} tensors in all parts, got {}", path().string(), INT32_MAX,
         total);
  tensors_.reserve(total);
  for (uint64_t i = 0; i < n_tensors; ++i) {
    cursor.enter({.what = "tensor", .index = static_cast<int64_t>(i)});
    tensors_.push_back(
        {.descriptor = cursor.at(), .part = static_cast<uint16_t>(parts_.size() - 1)});
    read_descriptor(cursor);
  }
}

// The data of the last part's tensors: aligned, inside the file, and not shared.
void File::check_data(size_t first, uint64_t alignment) const {
  const Part& part = parts_.back();
  const auto at = [&](uint32_t i) {
    Cursor cursor(part.name, part.bytes(), tensors_[i].descriptor);
    return read_descriptor(cursor);
  };
  std::vector<std::pair<uint64_t, uint32_t>> by_offset;
  by_offset.reserve(tensors_.size() - first);
  for (size_t i = first; i < tensors_.size(); ++i) {
    const auto index = static_cast<uint32_t>(i);
    by_offset.emplace_back(at(index).offset, index);
  }
  std::ranges::sort(by_offset);
  const uint64_t size = part.bytes().size(), section = size - std::min(size, part.data_start);
  Descriptor last{};
  for (const auto& [offset, index] : by_offset) {
    const Descriptor d = at(index);
    const auto reject = [&](const std::string& expected, const std::string& got) {
      fail("[gguf] {}: tensor {}: expected {}, got {}", part.name, quoted(d.name), expected, got);
    };
    if (d.offset % alignment != 0)
      reject(fmt::format("an offset that is a multiple of {}", alignment),
             fmt::format("{}", d.offset));
    if (d.offset > section || d.bytes > section - d.offset)
      reject(fmt::format("data inside a section of {} bytes", section),
             fmt::format("{} bytes at {}", d.bytes, d.offset));
    if (d.offset < last.offset + last.bytes)
      reject(fmt::format("data after tensor {}, which ends at {}", quoted(last.name),
                         last.offset + last.bytes),
             fmt::format("an offset of {}", d.offset));
    last = d;
  }
}

void File::open_other_parts() {
  const int64_t n_parts = metadata_.integer_or("split.count", 1, 0, kMostParts);
  const int64_t number = metadata_.integer_or("split.no", 0, 0, kMostParts);
  if (n_parts <= 1 && number == 0) return;
  const std::vector<std::filesystem::path> paths = split_paths(path(), number, n_parts);
  for (size_t i = 1; i < paths.size(); ++i) {
    std::error_code ignored;
    if (!std::filesystem::exists(paths[i], ignored))
      fail("[gguf] {}: a model of {} parts: expected part {} at {}, got no such file",
           path().string(), n_parts, i + 1, paths[i].string());
    const Metadata keys = add_part(map_part(paths[i]));
    keys.integer("split.no", static_cast<int64_t>(i), static_cast<int64_t>(i));
    keys.integer("split.count", n_parts, n_parts);
  }
  metadata_.integer_or("split.tensors.count", n_tensors(), n_tensors(), n_tensors());
}

void File::index_names() {
  by_name_.resize(tensors_.size());
  std::iota(by_name_.begin(), by_name_.end(), 0u);
  const auto name = [&](uint32_t i) { return name_of(tensors_[i]); };
  std::ranges::sort(by_name_, {}, name);
  const auto twice = std::ranges::adjacent_find(by_name_, {}, name);
  if (twice != by_name_.end())
    fail("[gguf] {}: tensor {}: expected once, got it twice", path().string(),
         quoted(name(*twice)));
}

std::string_view File::name_of(const TensorRef& ref) const {
  return text_at(parts_[ref.part].bytes(), ref.descriptor);
}

TensorView File::tensor(int64_t index) const {
  CHECK(index >= 0 && index < n_tensors(), "tensor {} of {}", index, n_tensors());
  const TensorRef& ref = tensors_[static_cast<size_t>(index)];
  const Part& part = parts_[ref.part];
  Cursor cursor(part.name, part.bytes(), ref.descriptor);
  const Descriptor d = read_descriptor(cursor);
  return {.name = d.name,
          .format = d.format,
          .n_dims = d.n_dims,
          .ne = d.ne,
          .data = part.bytes().subspan(part.data_start + d.offset, d.bytes),
          .part = static_cast<int>(ref.part)};
}

std::optional<TensorView> File::find_tensor(std::string_view name) const {
  const auto at = std::ranges::lower_bound(by_name_, name, {},
                                           [&](uint32_t i) { return name_of(tensors_[i]); });
  if (at == by_name_.end() || name_of(tensors_[*at]) != name) return std::nullopt;
  return tensor(*at);
}

int64_t File::file_bytes() const {
  int64_t total = 0;
  for (const Part& part : parts_) total += static_cast<int64_t>(part.bytes().size());
  return total;
}

void File::release(std::span<const uint8_t> data) const {
  const auto inside = [&](const Part& part) {
    const std::span<const uint8_t> all = part.bytes();
    return std::less_equal<>{}(all.data(), data.data()) &&
           std::less_equal<>{}(data.data() + data.size(), all.data() + all.size());
  };
  const auto part = std::find_if(parts_.begin(), parts_.end(), inside);
  if (part != parts_.end() && part->mapped) part->mapped->release(data);
}

void File::release() const {
  for (const Part& part : parts_)
    if (part.mapped) part.mapped->release(part.bytes());
}

}  // namespace plumb::gguf
