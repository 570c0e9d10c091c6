// How a block of a panel of codes is read: as it stands in memory (decode), or expanded to one byte
// per code (prefill). Included by kernels_table.h after kernels_tiles.h.

#include "backend/cpu/panel_blocks.h"

namespace plumb::cpu {
namespace {

// The corner of a block: in each row's lane the sum of its 32 codes (low half) and the format's
// offset (high half). Times a token's corner (Activations) it is what the codes alone leave out:
//   sum (code_w - offset) (code_x + zero) = sum code_w code_x + zero sum code_w - offset sum
//   (code_x + zero)

// A block as it stands in memory.
template <BlockLayout kLayout>
struct PackedBlock {
  static constexpr int kBytes = kLayout.bytes(), kMinimaAt = kLayout.scale_bytes(),
                       kCodesAt = kLayout.codes_at(), kFifthsAt = kLayout.fifths_at();
  static constexpr bool kMinimum = kLayout.minimum;
  // Eight codes of a row add up within a byte.
  static constexpr bool kSmallCodes = kLayout.bits < 8 && kLayout.table == nullptr;

  SIMD_INLINE F scale(const uint8_t* block) {
    if constexpr (kLayout.exponent) return Simd::load_e8m0(block);
    return Simd::load_f16(reinterpret_cast<const uint16_t*>(block));
  }
  SIMD_INLINE F minimum(const uint8_t* block) {
    return Simd::load_f16(reinterpret_cast<const uint16_t*>(block + kMinimaAt));
  }
  // Unsigned codes of column groups g and g + 4.
  template <int g>
  SIMD_INLINE void codes(const uint8_t* block, B& low, B& high) {
    const uint8_t* at = block + kCodesAt + 64 * g;
    if constexpr (kLayout.bits == 8) {
      low = Simd::load_b(at);
      high = Simd::load_b(at + 256);
      return;
    }
    const B both = Simd::load_b(at);
    low = Simd::low_nibbles(both);
    high = Simd::high_nibbles(both);
    if constexpr (kLayout.bits == 5) {
      const B fifths = Simd::load_b(block + kFifthsAt);
      low = Simd::template add_fifth_bit<g>(low, fifths);
      high = Simd::template add_fifth_bit<g + 4>(high, fifths);
    }
    if constexpr (kLayout.table != nullptr) {
      const auto table = Simd::load_table(kLayout.table);
      low = Simd::look_up(table, low);
      high = Simd::look_up(table, high);
    }
  }
  // Adds up the codes as they pass by.
  struct Corner {
    B bytes;
    I lanes = Simd::set_i(kLayout.offset_bits > 0 ? 1 << (16 + kLayout.offset_bits) : 0);

    template <int g>
    SIMD_METHOD void add(B low, B high) {
      if constexpr (!kSmallCodes)
        lanes = Simd::add_bytes(Simd::add_bytes(lanes, low), high);
      else if constexpr (g == 0)
        bytes = Simd::add_b(low, high);
      else
        bytes = Simd::add_b(Simd::add_b(bytes, low), high);
    }
    SIMD_METHOD I get(const uint8_t*) const {
      return kSmallCodes ? Simd::add_bytes(lanes, bytes) : lanes;
    }
  };
};

// A block with one byte per code and f32 scales: 16 scales, 16 minima, 16 corners, [8][16 rows][4]
// codes.
template <BlockLayout kLayout>
struct ExpandedBlock {
  static constexpr int kBytes = kExpandedBlockBytes;
  static constexpr bool kMinimum = kLayout.minimum;
  static constexpr bool kSmallCodes = PackedBlock<kLayout>::kSmallCodes;
  static constexpr int kMinimaAt = 64, kCornersAt = 128, kCodesAt = 192;

  SIMD_INLINE F scale(const uint8_t* block) {
    return Simd::load(reinterpret_cast<const float*>(block));
  }
  SIMD_INLINE F minimum(const uint8_t* block) {
    return Simd::load(reinterpret_cast<const float*>(block + kMinimaAt));
  }
  template <int g>
  SIMD_INLINE void codes(const uint8_t* block, B& low, B& high) {
    low = Simd::load_b(block + kCodesAt + 64 * g);
    high = Simd::load_b(block + kCodesAt + 64 * (g + 4));
  }
  struct Corner {
    template <int g>
    SIMD_METHOD void add(B, B) {}
    SIMD_METHOD I get(const uint8_t* block) const { return Simd::load_i(block + kCornersAt); }
  };
};

// f<0>() to f<3>(): the column groups g and g + 4 of a block.
template <typename Function>
SIMD_INLINE void each_group(Function f) {
  f.template operator()<0>();
  f.template operator()<1>();
  f.template operator()<2>();
  f.template operator()<3>();
}

template <BlockLayout kLayout>
void expand(const uint8_t* panel, int64_t n_blocks, uint8_t* out) {
  using Block = PackedBlock<kLayout>;
  using Out = ExpandedBlock<kLayout>;
  for (int64_t b = 0; b < n_blocks; ++b, panel += Block::kBytes, out += Out::kBytes) {
    for (int line = 0; line < Block::kBytes; line += 64)
      __builtin_prefetch(panel + kPrefetchBytes + line);
    Simd::store(reinterpret_cast<float*>(out), Block::scale(panel));
    if constexpr (Block::kMinimum)
      Simd::store(reinterpret_cast<float*>(out + Out::kMinimaAt), Block::minimum(panel));
    typename Block::Corner corner;
    each_group([&]<int g>() __attribute__((always_inline)) {
      B low, high;
      Block::template codes<g>(panel, low, high);
      corner.template add<g>(low, high);
      Simd::store_b(out + Out::kCodesAt + 64 * g, low);
      Simd::store_b(out + Out::kCodesAt + 64 * (g + 4), high);
    });
    Simd::store_i(out + Out::kCornersAt, corner.get(panel));
  }
}

}  // namespace
}  // namespace plumb::cpu
