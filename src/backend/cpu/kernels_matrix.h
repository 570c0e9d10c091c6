// Matrix kernels over the register model: panels of codes times quantised activations, panels of
// numbers times f32 activations. Included by each kernels_*.cpp after its simd_*.h.
//
// An output is accumulated over the blocks of its row in order, one fused multiply-add per block
// (two with minima) on an exact integer sum, in narrow (decode) and wide (prefill) tiles alike.

#include "backend/cpu/kernels.h"
#include "backend/cpu/panel_blocks.h"

namespace plumb::cpu {
namespace {

using F = Simd::F;
using I = Simd::I;
using B = Simd::B;

// Far enough ahead to hide memory, near enough to stay in the first-level cache.
constexpr int kPrefetchBytes = 4096;

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

// Where T tokens' activations of some block on stand.
struct Columns {
  const int8_t* codes;
  const float* scales;
  const int32_t* corners;
  const float* scaled_sums;
  int64_t columns, blocks;  // strides from token to token

  Columns(const Activations& x, int64_t token, int64_t block)
      : codes(x.codes + token * x.columns + block * kBlockColumns),
        scales(x.scales + token * x.blocks() + block),
        corners(x.corners + token * x.blocks() + block),
        scaled_sums(x.scaled_sums + token * x.blocks() + block),
        columns(x.columns),
        blocks(x.blocks()) {}
};

// sums[r][t] += panel r times token t over n_blocks blocks.
template <typename Block, int R, int T, bool kPrefetch>
SIMD_INLINE void tile(const uint8_t* const* panels, int64_t n_blocks, const Columns& x,
                      F (&sums)[R][T]) {
  const uint8_t* panel[R];
  for (int r = 0; r < R; ++r) panel[r] = panels[r];
  for (int64_t b = 0; b < n_blocks; ++b) {
    if constexpr (kPrefetch)
      for (int line = 0; line < Block::kBytes; line += 64)
        __builtin_prefetch(panel[0] + kPrefetchBytes + line);
    I dots[R][T];
    for (int r = 0; r < R; ++r)
      for (int t = 0; t < T; ++t) dots[r][t] = Simd::zero_i();
    typename Block::Corner corners[R];
    const int8_t* codes = x.codes + b * kBlockColumns;
    each_group([&]<int g>() __attribute__((always_inline)) {
      B low[R], high[R];
      for (int r = 0; r < R; ++r) {
        Block::template codes<g>(panel[r], low[r], high[r]);
        corners[r].template add<g>(low[r], high[r]);
      }
      for (int t = 0; t < T; ++t)
        for (int r = 0; r < R; ++r)
          dots[r][t] = Simd::template dot<Block::kSmallCodes>(dots[r][t], low[r],
                                                              codes + t * x.columns + 4 * g);
      for (int t = 0; t < T; ++t)
        for (int r = 0; r < R; ++r)
          dots[r][t] = Simd::template dot<Block::kSmallCodes>(dots[r][t], high[r],
                                                              codes + t * x.columns + 16 + 4 * g);
    });
    for (int r = 0; r < R; ++r) {
      const I corner = corners[r].get(panel[r]);
      const F scale = Block::scale(panel[r]);
      for (int t = 0; t < T; ++t) {
        const int64_t at = t * x.blocks + b;
        const F product = Simd::to_float(Simd::dot_halves(dots[r][t], corner, x.corners[at]));
        sums[r][t] = Simd::fma(product, Simd::mul(scale, Simd::set(x.scales[at])), sums[r][t]);
      }
      if constexpr (Block::kMinimum) {
        const F minimum = Block::minimum(panel[r]);
        for (int t = 0; t < T; ++t)
          sums[r][t] = Simd::fma(minimum, Simd::set(x.scaled_sums[t * x.blocks + b]), sums[r][t]);
      }
      panel[r] += Block::kBytes;
    }
  }
}

// Puts the sums of a panel and a token where they belong. n is the number of rows that exist.
SIMD_INLINE void put(F sum, const Matrix& matrix, int64_t panel, const Output& output,
                     int64_t token) {
  const int64_t row = panel * kPanelRows, n = matrix.rows - row;
  float* to = output.to + token * output.stride + row;
  if (matrix.bias) sum = Simd::add(sum, Simd::load(matrix.bias + row));
  if (output.into == Into::add) sum = Simd::add(Simd::load_first(to, n), sum);
  if (output.into == Into::gate) sum = Simd::mul(silu(Simd::load_first(to, n)), sum);
  Simd::store_first(to, sum, n);
}

template <typename Block, int T>
void narrow_tokens(const Matrix& matrix, int64_t panel, const Activations& x, int64_t token,
                   const Output& output) {
  const uint8_t* data = matrix.data + panel * matrix.panel_stride;
  F sums[1][T];
  for (int t = 0; t < T; ++t) sums[0][t] = Simd::zero();
  tile<Block, 1, T, true>(&data, x.blocks(), Columns(x, token, 0), sums);
  for (int t = 0; t < T; ++t) put(sums[0][t], matrix, panel, output, token + t);
}

// Few tokens: every panel is read from memory once, unpacked for every tile of tokens.
template <typename Block>
void multiply_narrow(const Matrix& matrix, int64_t first, int64_t n, const Activations& x,
                     int64_t n_tokens, const Output& output) {
  constexpr int T = Simd::kNarrowTokens;
  for (int64_t panel = first; panel < first + n; ++panel) {
    int64_t t = 0;
    for (; t + T <= n_tokens; t += T) narrow_tokens<Block, T>(matrix, panel, x, t, output);
    for (; t < n_tokens; ++t) narrow_tokens<Block, 1>(matrix, panel, x, t, output);
  }
}

// Sums of wide tiles between one run of blocks and the next, [token][R panels][16].
template <int R, int T>
SIMD_INLINE void load_sums(const float* from, F (&sums)[R][T]) {
  for (int t = 0; t < T; ++t)
    for (int r = 0; r < R; ++r) sums[r][t] = Simd::load(from + (t * R + r) * kPanelRows);
}
template <int R, int T>
SIMD_INLINE void store_sums(const F (&sums)[R][T], float* to) {
  for (int t = 0; t < T; ++t)
    for (int r = 0; r < R; ++r) Simd::store(to + (t * R + r) * kPanelRows, sums[r][t]);
}

// One run of blocks of R expanded panels, for T tokens.
struct Run {
  int64_t panel;  // the first of R
  int64_t first_block, n_blocks;
  bool first, last;  // of the runs of these panels
};
template <typename Block, int R, int T>
void wide_tokens(const Matrix& matrix, const Run& run, const Activations& x, int64_t token,
                 const Output& output, const Scratch& scratch) {
  const uint8_t* panels[R];
  for (int r = 0; r < R; ++r)
    panels[r] = scratch.expanded + r * kExpandedBlocks * kExpandedBlockBytes;
  float* between = scratch.sums + token * R * kPanelRows;
  F sums[R][T];
  if (run.first) {
    for (int r = 0; r < R; ++r)
      for (int t = 0; t < T; ++t) sums[r][t] = Simd::zero();
  } else {
    load_sums(between, sums);
  }
  tile<Block, R, T, false>(panels, run.n_blocks, Columns(x, token, run.first_block), sums);
  if (!run.last) return store_sums(sums, between);
  for (int t = 0; t < T; ++t)
    for (int r = 0; r < R; ++r) put(sums[r][t], matrix, run.panel + r, output, token + t);
}

template <BlockLayout kLayout, int R>
void wide_panels(const Matrix& matrix, int64_t panel, const Activations& x, int64_t n_tokens,
                 const Output& output, const Scratch& scratch) {
  constexpr int T = Simd::kWideTokens;
  using Block = ExpandedBlock<kLayout>;
  const int64_t n_blocks = x.blocks();
  for (int64_t b = 0; b < n_blocks; b += kExpandedBlocks) {
    const int64_t n = n_blocks - b < kExpandedBlocks ? n_blocks - b : kExpandedBlocks;
    for (int r = 0; r < R; ++r)
      expand<kLayout>(
          matrix.data + (panel + r) * matrix.panel_stride + b * PackedBlock<kLayout>::kBytes, n,
          scratch.expanded + r * kExpandedBlocks * kExpandedBlockBytes);
    const Run run{panel, b, n, b == 0, b + n == n_blocks};
    int64_t t = 0;
    for (; t + T <= n_tokens; t += T) wide_tokens<Block, R, T>(matrix, run, x, t, output, scratch);
    for (; t < n_tokens; ++t) wide_tokens<Block, R, 1>(matrix, run, x, t, output, scratch);
  }
}

// From this many tokens on, expanding a panel once is cheaper than unpacking it for every tile.
constexpr int64_t kWideFrom = 12;

template <BlockLayout kLayout>
void multiply_codes(const Matrix& matrix, int64_t first, int64_t n, const Activations& x,
                    int64_t n_tokens, const Output& output, const Scratch& scratch) {
  if (n_tokens < kWideFrom)
    return multiply_narrow<PackedBlock<kLayout>>(matrix, first, n, x, n_tokens, output);
  int64_t panel = first;
  constexpr int R = Simd::kWidePanels;
  for (; panel + R <= first + n; panel += R)
    wide_panels<kLayout, R>(matrix, panel, x, n_tokens, output, scratch);
  for (; panel < first + n; ++panel)
    wide_panels<kLayout, 1>(matrix, panel, x, n_tokens, output, scratch);
}

// Panels of numbers, [columns][16 rows]. Each output is one chain of multiply-adds in column order;
// several panels or tokens at once keep the multipliers busy.

struct F32Column {
  static constexpr int kBytes = 64;
  SIMD_INLINE F load(const uint8_t* p) { return Simd::load(reinterpret_cast<const float*>(p)); }
};
struct F16Column {
  static constexpr int kBytes = 32;
  SIMD_INLINE F load(const uint8_t* p) {
    return Simd::load_f16(reinterpret_cast<const uint16_t*>(p));
  }
};
struct Bf16Column {
  static constexpr int kBytes = 32;
  SIMD_INLINE F load(const uint8_t* p) {
    return Simd::load_bf16(reinterpret_cast<const uint16_t*>(p));
  }
};

template <typename Column, int R, int T>
void number_tile(const Matrix& matrix, int64_t panel, const Activations& x, int64_t token,
                 const Output& output) {
  const uint8_t* data = matrix.data + panel * matrix.panel_stride;
  const float* values = x.values + token * x.columns;
  F sums[R][T];
  for (int r = 0; r < R; ++r)
    for (int t = 0; t < T; ++t) sums[r][t] = Simd::zero();
  for (int64_t k = 0; k < x.columns; ++k) {
    for (int r = 0; r < R; ++r) {
      const uint8_t* at = data + r * matrix.panel_stride + k * Column::kBytes;
      __builtin_prefetch(at + kPrefetchBytes / R);
      const F w = Column::load(at);
      for (int t = 0; t < T; ++t)
        sums[r][t] = Simd::fma(w, Simd::set(values[t * x.columns + k]), sums[r][t]);
    }
  }
  for (int t = 0; t < T; ++t)
    for (int r = 0; r < R; ++r) put(sums[r][t], matrix, panel + r, output, token + t);
}

template <typename Column, int R, int T>
void number_panels(const Matrix& matrix, int64_t panel, const Activations& x, int64_t n_tokens,
                   const Output& output) {
  int64_t t = 0;
  for (; t + T <= n_tokens; t += T) number_tile<Column, R, T>(matrix, panel, x, t, output);
  for (; t < n_tokens; ++t) number_tile<Column, R, 1>(matrix, panel, x, t, output);
}

template <typename Column>
void multiply_numbers(const Matrix& matrix, int64_t first, int64_t n, const Activations& x,
                      int64_t n_tokens, const Output& output, const Scratch&) {
  constexpr int R = Simd::kWidePanels;
  int64_t panel = first;
  if (n_tokens < Simd::kFloatTokens)
    for (; panel + 4 <= first + n; panel += 4)
      number_panels<Column, 4, Simd::kFewFloatTokens>(matrix, panel, x, n_tokens, output);
  for (; panel + R <= first + n; panel += R)
    number_panels<Column, R, Simd::kFloatTokens>(matrix, panel, x, n_tokens, output);
  for (; panel < first + n; ++panel)
    number_panels<Column, 1, Simd::kFloatTokens>(matrix, panel, x, n_tokens, output);
}

// Any format, rows as in the file: 16 rows are decoded into a panel of f32.
void decode_panel(const Matrix& matrix, int64_t panel, float* out) {
  constexpr int64_t kChunk = 256;  // a multiple of every block
  const FormatInfo& info = format_info(matrix.format);
  const int64_t row_bytes = matrix.panel_stride / kPanelRows;
  const uint8_t* data = matrix.data + panel * matrix.panel_stride;
  float values[kChunk];
  for (int64_t r = 0; r < kPanelRows; ++r) {
    const bool exists = panel * kPanelRows + r < matrix.rows;
    for (int64_t k = 0; k < matrix.columns; k += kChunk) {
      const int64_t n = matrix.columns - k < kChunk ? matrix.columns - k : kChunk;
      if (exists)
        info.decode(data + r * row_bytes + k / info.block_elems * info.block_bytes, values, n);
      for (int64_t i = 0; i < n; ++i) out[(k + i) * kPanelRows + r] = exists ? values[i] : 0.0f;
    }
  }
}

void multiply_generic(const Matrix& matrix, int64_t first, int64_t n, const Activations& x,
                      int64_t n_tokens, const Output& output, const Scratch& scratch) {
  Matrix decoded = matrix;
  decoded.data = reinterpret_cast<const uint8_t*>(scratch.rows);
  decoded.panel_stride = 0;
  for (int64_t panel = first; panel < first + n; ++panel) {
    decode_panel(matrix, panel, scratch.rows);
    number_panels<F32Column, 1, Simd::kFloatTokens>(decoded, panel, x, n_tokens, output);
  }
}

}  // namespace
}  // namespace plumb::cpu
