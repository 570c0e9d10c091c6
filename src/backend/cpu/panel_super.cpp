#include "backend/cpu/panel_super.h"

#include <cstddef>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "formats/blocks.h"

namespace plumb::cpu {
namespace {

// Some bits of one, two or four bytes that stand together in the file and in a panel: everything
// there is to know of a format to go either way.
struct Field {
  int bytes;
  uint32_t mask;  // of the bits, once they are at the bottom
  int file_at, file_shift;
  int panel_at, panel_shift;  // of row 0; rows follow each other
};

template <typename Word>
Word load(const uint8_t* at) {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// to |= those bits of `from`
template <typename Word>
void move_bits(const uint8_t* from, int from_shift, uint32_t mask, uint8_t* to, int to_shift) {
  const auto bits = static_cast<uint32_t>(load<Word>(from)) >> from_shift & mask;
  const auto word = static_cast<Word>(load<Word>(to) | bits << to_shift);
  std::memcpy(to, &word, sizeof word);
}

template <typename Word>
void pack_rows(const Field& f, const uint8_t* blocks, int64_t row_bytes, int64_t n_rows,
               uint8_t* unit) {
  for (int64_t row = 0; row < n_rows; ++row)
    move_bits<Word>(blocks + row * row_bytes + f.file_at, f.file_shift, f.mask,
                    unit + f.panel_at + row * static_cast<int64_t>(sizeof(Word)), f.panel_shift);
}

template <typename Word>
void unpack_row(const Field& f, const uint8_t* unit, int64_t row, uint8_t* block) {
  move_bits<Word>(unit + f.panel_at + row * static_cast<int64_t>(sizeof(Word)), f.panel_shift,
                  f.mask, block + f.file_at, f.file_shift);
}

// f<Word>() with the word of `bytes` bytes
void with_word(int bytes, const auto& f) {
  if (bytes == 1) return f.template operator()<uint8_t>();
  if (bytes == 2) return f.template operator()<uint16_t>();
  f.template operator()<uint32_t>();
}

// Where the parts of a block stand in the file; -1: it has none.
struct FileBlock {
  int d, dmin, small, codes, more;
};

// The n bits of every byte of a word.
uint32_t each_byte(int n) {
  return ((1u << n) - 1) * 0x01010101u;
}

// Collects the fields of one format.
class Fields {
 public:
  Fields(Format format, const SuperLayout& layout, const FileBlock& file)
      : format_(format), layout_(layout), file_(file) {
    add({2, 0xffff, file.d, 0, 0, 0});
    if (layout.minimum) add({2, 0xffff, file.dmin, 0, 32, 0});
    for (int k = 0; k < layout.small_bytes(); ++k)
      add({1, 0xff, file.small + k, 0, layout.small_at() + 16 * k, 0});
    for (int block = 0; block < 8; ++block)
      for (int half = 0; half < 2; ++half)
        for (int group = 0; group < 4; ++group) add_columns(block, half, group);
  }

  std::vector<Field> all;

 private:
  void add(const Field& field) { all.push_back(field); }

  // Columns 32 block + 16 half + 4 group and the three after it.
  void add_columns(int block, int half, int group) {
    const int at = layout_.codes_at() + block * layout_.block_bytes(),
              more = at + layout_.more_at(), column = 16 * half + 4 * group;
    if (layout_.bits < 4)
      add(pairs(file_.codes, block, column, at + 64 * half, 2 * group));
    else
      add(nibbles(block, column, at + 64 * group, 4 * half));
    if (layout_.bits % 2 == 1)
      add({4, each_byte(1), file_.more + column, block, more, 4 * half + group});
    if (layout_.bits == 6) add(pairs(file_.more, block, column, more + 64 * half, 2 * group));
  }

  // Two bits of every byte: a run of 32 bytes serves 128 columns.
  static Field pairs(int file, int block, int column, int panel_at, int panel_shift) {
    return {4, each_byte(2), file + block / 4 * 32 + column, block % 4 * 2, panel_at, panel_shift};
  }

  // Four bits: 32 bytes serve 64 columns (Q4_K, Q5_K), 64 serve 128 (Q6_K), 16 serve 32 (IQ4_XS).
  Field nibbles(int block, int column, int panel_at, int panel_shift) const {
    int at = block / 2 * 32 + column, shift = block % 2 * 4;
    if (format_ == Format::q6_k) {
      at = block / 4 * 64 + block % 2 * 32 + column;
      shift = block % 4 / 2 * 4;
    } else if (format_ == Format::iq4_xs) {
      at = block * 16 + column % 16;
      shift = column / 16 * 4;
    }
    return {4, each_byte(4), file_.codes + at, shift, panel_at, panel_shift};
  }

  Format format_;
  const SuperLayout& layout_;
  FileBlock file_;
};

#define FILE_BLOCK(Block, small, codes, more) \
  { offsetof(Block, d), dmin_of<Block>(), offsetof(Block, small), offsetof(Block, codes), more }

template <typename Block>
constexpr int dmin_of() {
  if constexpr (requires(Block b) { b.dmin; }) return offsetof(Block, dmin);
  return -1;
}

struct SuperFormat {
  Format format;
  const SuperLayout& layout;
  FileBlock file;
};
constexpr SuperFormat kSuperFormats[] = {
    {Format::q2_k, kQ2K, FILE_BLOCK(BlockQ2K, scales, q, -1)},
    {Format::q3_k, kQ3K, FILE_BLOCK(BlockQ3K, scales, q, offsetof(BlockQ3K, hmask))},
    {Format::q4_k, kQ4K, FILE_BLOCK(BlockQ4K, scales, q, -1)},
    {Format::q5_k, kQ5K, FILE_BLOCK(BlockQ5K, scales, q, offsetof(BlockQ5K, qh))},
    {Format::q6_k, kQ6K, FILE_BLOCK(BlockQ6K, scales, ql, offsetof(BlockQ6K, qh))},
    {Format::iq4_xs, kIq4Xs, FILE_BLOCK(BlockIq4Xs, scales_high, q, -1)},
};

#undef FILE_BLOCK

const std::vector<Field>& fields_of(Format format) {
  static const std::vector<std::vector<Field>> all = [] {
    std::vector<std::vector<Field>> each;
    for (const SuperFormat& f : kSuperFormats)
      each.push_back(Fields(f.format, f.layout, f.file).all);
    return each;
  }();
  for (size_t i = 0; i < all.size(); ++i)
    if (kSuperFormats[i].format == format) return all[i];
  CHECK(false, "format {} has units of 256 columns", format_info(format).name);
  return all[0];
}

}  // namespace

const SuperLayout* super_layout(Format format) {
  for (const SuperFormat& f : kSuperFormats)
    if (f.format == format) return &f.layout;
  return nullptr;
}

void pack_super_blocks(Format format, const uint8_t* blocks, int64_t row_bytes, int64_t n_rows,
                       uint8_t* unit) {
  for (const Field& field : fields_of(format))
    with_word(field.bytes,
              [&]<typename Word>() { pack_rows<Word>(field, blocks, row_bytes, n_rows, unit); });
}

void unpack_super_block(Format format, const uint8_t* unit, int64_t row, uint8_t* block) {
  std::memset(block, 0, static_cast<size_t>(format_info(format).block_bytes));
  for (const Field& field : fields_of(format))
    with_word(field.bytes, [&]<typename Word>() { unpack_row<Word>(field, unit, row, block); });
}

}  // namespace plumb::cpu
