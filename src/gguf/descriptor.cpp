#include "gguf/descriptor.h"

#include "base/checked.h"

namespace plumb::gguf {
namespace {

constexpr size_t kLongestName = 63;  // the reference reader has room for 64 with a zero
constexpr uint32_t kMostDims = 4;

Format read_format(Cursor& cursor) {
  const auto id = cursor.number<uint32_t>("type");
  const FormatInfo* info = find_format(id);
  if (!info)
    cursor.reject("type", "a known type id (0..42 without retired ones)", fmt::format("{}", id));
  return info->format;
}

uint64_t checked_bytes(const Cursor& cursor, const Descriptor& d) {
  const FormatInfo& info = format_info(d.format);
  if (d.ne[0] % info.block_elems != 0)
    cursor.reject("ne[0]",
                  fmt::format("a multiple of {}, the block of {}", info.block_elems, info.name),
                  fmt::format("{}", d.ne[0]));
  std::optional<int64_t> elements = 1, bytes;
  for (const int64_t n : d.ne) elements = elements ? checked_mul(*elements, n) : elements;
  if (elements) bytes = checked_mul(*elements / info.block_elems, info.block_bytes);
  if (!bytes)
    cursor.reject("shape", "a size below 2^63 bytes", fmt::format("{}", fmt::join(d.ne, " x ")));
  return static_cast<uint64_t>(*bytes);
}

}  // namespace

Descriptor read_descriptor(Cursor& cursor) {
  Descriptor d{.name = cursor.name(kLongestName),
               .format = {},
               .n_dims = 0,
               .ne = {1, 1, 1, 1},
               .offset = 0,
               .bytes = 0};
  const auto n_dims = cursor.number<uint32_t>("n_dims");
  if (n_dims > kMostDims) cursor.reject("n_dims", "0..4", fmt::format("{}", n_dims));
  d.n_dims = static_cast<int>(n_dims);
  for (size_t i = 0; i < n_dims; ++i) {
    const auto n = cursor.number<uint64_t>("ne");
    if (n == 0 || n > static_cast<uint64_t>(INT64_MAX))
      cursor.reject(fmt::format("ne[{}]", i), "1..2^63-1", fmt::format("{}", n));
    d.ne[i] = static_cast<int64_t>(n);
  }
  d.format = read_format(cursor);
  d.bytes = checked_bytes(cursor, d);
  d.offset = cursor.number<uint64_t>("offset");
  return d;
}

}  // namespace plumb::gguf
