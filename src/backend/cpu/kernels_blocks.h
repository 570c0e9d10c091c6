// How blocks of 32 columns of a panel of codes are read, one after another: as they stand in memory
// (decode), or expanded to one byte per code (prefill). Included by kernels_table.h after
// kernels_tiles.h. Every kind of block has
//
//   kParts         scales of a block: one, or two (of columns 0..15 and of 16..31)
//   kMinimum       minima beside them
//   kSmallCodes    codes below 128; others are what Simd::load_large_codes and look_up give
//   Reader         start(at) at the first block of a panel, or of a unit of kUnitBlocks blocks in
//                  kUnitBytes; begin() ... next() around each block
//   CodeSums       what has to be known of a block's codes besides their products

#include "backend/cpu/panel_blocks.h"

namespace plumb::cpu {
namespace {

// f<0>() to f<n - 1>()
template <int n, typename Function>
SIMD_INLINE void each_index(Function f) {
  [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) {
    (f.template operator()<i>(), ...);
  }
  (std::make_integer_sequence<int, n>());
}

// The corner of a part: in each row's lane the sum of its codes (low half) and the format's offset
// (high half). Times a token's corner (Activations) it is what the codes alone leave out:
//   sum (code_w - offset) (code_x + zero) = sum code_w code_x + zero sum code_w - offset sum
//   (code_x + zero)
// Codes are added up as they pass by, within bytes where these hold the sum of a part.
template <int kParts, int kOffsetBits, bool kInBytes>
struct CornerSums {
  B bytes[kParts];
  I lanes[kParts];

  SIMD_METHOD CornerSums() {
    constexpr int kOffset = kOffsetBits > 0 ? 1 << kOffsetBits : 0;
    for (I& l : lanes) l = Simd::set_i((kOffset - (kInBytes ? 0 : Simd::kLargeCodesLess)) << 16);
  }
  // The codes of column groups g and g + 4.
  template <int g>
  SIMD_METHOD void add(B low, B high) {
    if constexpr (!kInBytes) {
      lanes[0] = Simd::template add_bytes<false>(lanes[0], low);
      lanes[kParts - 1] = Simd::template add_bytes<false>(lanes[kParts - 1], high);
    } else if constexpr (kParts == 2) {
      bytes[0] = g == 0 ? low : Simd::add_b(bytes[0], low);
      bytes[1] = g == 0 ? high : Simd::add_b(bytes[1], high);
    } else {
      const B both = Simd::add_b(low, high);
      bytes[0] = g == 0 ? both : Simd::add_b(bytes[0], both);
    }
  }
  template <typename Reader>
  SIMD_METHOD I corner(const Reader&, int part) const {
    return kInBytes ? Simd::template add_bytes<true>(lanes[part], bytes[part]) : lanes[part];
  }
};

template <CacheLevel kTo>
SIMD_INLINE void prefetch_lines(const uint8_t* at, int bytes) {
  for (int line = 0; line < bytes; line += 64) prefetch<kTo>(at + kPrefetchBytes + line);
}

template <BlockLayout kLayout>
struct PackedBlock {
  static constexpr int kUnitBlocks = 1, kUnitBytes = kLayout.bytes();
  static constexpr int kParts = 1;
  static constexpr bool kMinimum = kLayout.minimum;
  static constexpr bool kSmallCodes = kLayout.bits < 8 && kLayout.table == nullptr;
  using CodeSums = CornerSums<1, kLayout.offset_bits, kSmallCodes>;

  struct Reader {
    const uint8_t* block;

    SIMD_METHOD void start(const uint8_t* at) { block = at; }
    SIMD_METHOD void begin() {}
    SIMD_METHOD void next() { block += kUnitBytes; }
    template <CacheLevel kTo>
    SIMD_METHOD void prefetch() const {
      prefetch_lines<kTo>(block, kUnitBytes);
    }

    SIMD_METHOD F scale(int) const {
      if constexpr (kLayout.exponent) return Simd::load_e8m0(block);
      return Simd::load_f16(reinterpret_cast<const uint16_t*>(block));
    }
    SIMD_METHOD F minimum(int) const {
      return Simd::load_f16(reinterpret_cast<const uint16_t*>(block + kLayout.scale_bytes()));
    }
    // Codes of column groups g and g + 4: as stored, or less Simd::kLargeCodesLess when not small.
    template <int g>
    SIMD_METHOD void codes(B& low, B& high) const {
      const uint8_t* at = block + kLayout.codes_at() + 64 * g;
      if constexpr (kLayout.bits == 8) {
        low = Simd::load_large_codes(at);
        high = Simd::load_large_codes(at + 256);
        return;
      }
      const B both = Simd::load_b(at);
      low = Simd::low_nibbles(both);
      high = Simd::high_nibbles(both);
      if constexpr (kLayout.bits == 5) {
        const B fifths = Simd::load_b(block + kLayout.fifths_at());
        low = Simd::or_b(low, Simd::template move_bits<g, 4, 1>(fifths));
        high = Simd::or_b(high, Simd::template move_bits<g + 4, 4, 1>(fifths));
      }
      if constexpr (kLayout.table != nullptr) {
        const auto table = Simd::load_table(kLayout.table);
        low = Simd::look_up(table, low);
        high = Simd::look_up(table, high);
      }
    }
  };
};

// A block with one byte per code and f32 scales: [parts] of 16 scales, 16 minima (if any) and 16
// corners each, then [8][16 rows][4] codes.
template <int n_parts, bool has_minimum, bool small_codes>
struct ExpandedBlock {
  static constexpr int kParts = n_parts;
  static constexpr bool kMinimum = has_minimum, kSmallCodes = small_codes;
  static constexpr int kMinimumAt = 64, kCornerAt = kMinimum ? 128 : 64;
  static constexpr int kPartBytes = kCornerAt + 64, kCodesAt = kParts * kPartBytes;
  static constexpr int kUnitBlocks = 1, kUnitBytes = kCodesAt + 512;

  struct Reader {
    const uint8_t* block;

    SIMD_METHOD void start(const uint8_t* at) { block = at; }
    SIMD_METHOD void begin() {}
    SIMD_METHOD void next() { block += kUnitBytes; }
    template <CacheLevel>
    SIMD_METHOD void prefetch() const {}

    SIMD_METHOD F scale(int part) const {
      return Simd::load(reinterpret_cast<const float*>(block + part * kPartBytes));
    }
    SIMD_METHOD F minimum(int part) const {
      return Simd::load(reinterpret_cast<const float*>(block + part * kPartBytes + kMinimumAt));
    }
    template <int g>
    SIMD_METHOD void codes(B& low, B& high) const {
      low = Simd::load_b(block + kCodesAt + 64 * g);
      high = Simd::load_b(block + kCodesAt + 64 * (g + 4));
    }
  };
  struct CodeSums {
    template <int g>
    SIMD_METHOD void add(B, B) {}
    SIMD_METHOD I corner(const Reader& reader, int part) const {
      return Simd::load_i(reader.block + part * kPartBytes + kCornerAt);
    }
  };
};

template <typename Block>
using Expanded = ExpandedBlock<Block::kParts, Block::kMinimum, Block::kSmallCodes>;

// n blocks from the first of a unit on.
template <typename Packed>
void expand(const uint8_t* panel, int64_t n, uint8_t* out) {
  using Out = Expanded<Packed>;
  typename Packed::Reader reader;
  reader.start(panel);
  for (int64_t b = 0; b < n; ++b, out += Out::kUnitBytes, reader.next()) {
    reader.begin();
    reader.template prefetch<CacheLevel::first>();
    typename Packed::CodeSums sums;
    each_index<4>([&]<int g>() __attribute__((always_inline)) {
      B low, high;
      reader.template codes<g>(low, high);
      sums.template add<g>(low, high);
      Simd::store_b(out + Out::kCodesAt + 64 * g, low);
      Simd::store_b(out + Out::kCodesAt + 64 * (g + 4), high);
    });
    for (int p = 0; p < Out::kParts; ++p) {
      uint8_t* part = out + p * Out::kPartBytes;
      Simd::store(reinterpret_cast<float*>(part), reader.scale(p));
      if constexpr (Out::kMinimum)
        Simd::store(reinterpret_cast<float*>(part + Out::kMinimumAt), reader.minimum(p));
      Simd::store_i(part + Out::kCornerAt, sums.corner(reader, p));
    }
  }
}

}  // namespace
}  // namespace plumb::cpu
