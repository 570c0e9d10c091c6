// Blocks of 32 columns that stand in units of 256 with small scales (SuperLayout). Included by
// kernels_table.h after kernels_blocks.h.

namespace plumb::cpu {
namespace {

// What small scales come to, as f32: [blocks of 32][parts][16 rows]
template <SuperLayout kLayout>
struct UnitScales {
  static constexpr int kScales = 8 * kLayout.parts;
  alignas(64) float scales[kScales][16];
  alignas(64) float minima[kLayout.minimum ? kScales : 1][16];

  SIMD_METHOD void unpack(const uint8_t* unit) {
    const uint8_t* small = unit + kLayout.small_at();
    const F scale = Simd::load_f16(reinterpret_cast<const uint16_t*>(unit));
    each_index<kScales>([&]<int k>() __attribute__((always_inline)) {
      Simd::store(scales[k], Simd::mul(scale, Simd::to_float(small_scale<k>(small))));
    });
    if constexpr (kLayout.minimum) {
      const F minimum =
          Simd::sub(Simd::zero(), Simd::load_f16(reinterpret_cast<const uint16_t*>(unit + 32)));
      each_index<kScales>([&]<int k>() __attribute__((always_inline)) {
        Simd::store(minima[k], Simd::mul(minimum, Simd::to_float(small_minimum<k>(small))));
      });
    }
  }

 private:
  // Byte k of the 16 rows; n bits of it.
  SIMD_INLINE I byte(const uint8_t* small, int k) { return Simd::load_u8(small + 16 * k); }
  template <int from, int n>
  SIMD_INLINE I bits(const uint8_t* small, int k) {
    return Simd::template bits<from, n>(byte(small, k));
  }
  SIMD_INLINE I six_bits(I low_four, I high_two) {
    return Simd::add_i(low_four, Simd::template shift_left<4>(high_two));
  }

  // See formats/blocks.h and formats/scale_min.h.
  template <int k>
  SIMD_INLINE I small_scale(const uint8_t* small) {
    using enum SmallScales;
    if constexpr (kLayout.small == nibbles) return bits<0, 4>(small, k);
    if constexpr (kLayout.small == bytes) return Simd::load_s8(small + 16 * k);
    if constexpr (kLayout.small == with_minima) {
      if constexpr (k < 4) return bits<0, 6>(small, k);
      return six_bits(bits<0, 4>(small, k + 4), bits<6, 2>(small, k - 4));
    }
    if constexpr (kLayout.small == split_12)
      return Simd::sub_i(
          six_bits(bits<k / 8 * 4, 4>(small, k % 8), bits<k / 4 * 2, 2>(small, 8 + k % 4)),
          Simd::set_i(32));
    if constexpr (kLayout.small == split_6)
      return Simd::sub_i(
          six_bits(bits<k % 2 * 4, 4>(small, 2 + k / 2), bits<k % 4 * 2, 2>(small, k / 4)),
          Simd::set_i(32));
  }
  template <int k>
  SIMD_INLINE I small_minimum(const uint8_t* small) {
    if constexpr (kLayout.small == SmallScales::nibbles) return bits<4, 4>(small, k);
    if constexpr (k < 4) return bits<0, 6>(small, k + 4);
    return six_bits(bits<4, 4>(small, k + 4), bits<6, 2>(small, k));
  }
};

template <SuperLayout kLayout>
struct SuperBlock {
  static constexpr int kUnitBlocks = 8, kUnitBytes = kLayout.bytes();
  static constexpr int kParts = kLayout.parts;
  static constexpr bool kMinimum = kLayout.minimum, kSmallCodes = kLayout.table == nullptr;
  using CodeSums = CornerSums<kParts, kLayout.offset_bits, kSmallCodes>;

  struct Reader {
    const uint8_t* unit;
    const uint8_t* block;
    int index = 0;  // of the block in the unit
    UnitScales<kLayout> small;

    SIMD_METHOD void start(const uint8_t* at) {
      unit = at;
      block = at + kLayout.codes_at();
    }
    SIMD_METHOD void begin() {
      if (index == 0) small.unpack(unit);
    }
    SIMD_METHOD void next() {
      block += kLayout.block_bytes();
      if (++index < 8) return;
      index = 0;
      unit = block;
      block += kLayout.codes_at();
    }
    template <CacheLevel kTo>
    SIMD_METHOD void prefetch() const {
      if (index == 0) prefetch_lines<kTo>(unit, kLayout.codes_at());
      prefetch_lines<kTo>(block, kLayout.block_bytes());
    }

    SIMD_METHOD F scale(int part) const { return Simd::load(small.scales[index * kParts + part]); }
    SIMD_METHOD F minimum(int part) const {
      return Simd::load(small.minima[index * kParts + part]);
    }
    template <int g>
    SIMD_METHOD void codes(B& low, B& high) const {
      const uint8_t* more = block + kLayout.more_at();
      if constexpr (kLayout.bits < 4) {
        low = Simd::template move_bits<2 * g, 0, 2>(Simd::load_b(block));
        high = Simd::template move_bits<2 * g, 0, 2>(Simd::load_b(block + 64));
      } else {
        const B both = Simd::load_b(block + 64 * g);
        low = Simd::low_nibbles(both);
        high = Simd::high_nibbles(both);
      }
      if constexpr (kLayout.bits % 2 == 1) {
        constexpr int kTop = kLayout.bits - 1;
        const B top = Simd::load_b(more);
        low = Simd::or_b(low, Simd::template move_bits<g, kTop, 1>(top));
        high = Simd::or_b(high, Simd::template move_bits<g + 4, kTop, 1>(top));
      }
      if constexpr (kLayout.bits == 6) {
        low = Simd::or_b(low, Simd::template move_bits<2 * g, 4, 2>(Simd::load_b(more)));
        high = Simd::or_b(high, Simd::template move_bits<2 * g, 4, 2>(Simd::load_b(more + 64)));
      }
      if constexpr (kLayout.table != nullptr) {
        const auto table = Simd::load_table(kLayout.table);
        low = Simd::look_up(table, low);
        high = Simd::look_up(table, high);
      }
    }
  };
};

}  // namespace
}  // namespace plumb::cpu
