// Panels of codes times quantised activations. Included by kernels_table.h after kernels_blocks.h.
//
// An output is accumulated over the blocks of its row in order, one fused multiply-add per block
// (two with minima) on an exact integer sum, in narrow (decode) and wide (prefill) tiles alike.

namespace plumb::cpu {
namespace {

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
  for (int64_t panel = first; panel < first + n; ++panel)
    in_tiles<Simd::kNarrowTokens>(0, n_tokens, [&]<int T>(int64_t token) {
      narrow_tokens<Block, T>(matrix, panel, x, token, output);
    });
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
  using Block = ExpandedBlock<kLayout>;
  const int64_t n_blocks = x.blocks(), n_runs = (n_blocks + kExpandedBlocks - 1) / kExpandedBlocks;
  for (int64_t i = 0; i < n_runs; ++i) {
    const int64_t b = n_blocks * i / n_runs, n = n_blocks * (i + 1) / n_runs - b;
    for (int r = 0; r < R; ++r)
      expand<kLayout>(
          matrix.data + (panel + r) * matrix.panel_stride + b * PackedBlock<kLayout>::kBytes, n,
          scratch.expanded + r * kExpandedBlocks * kExpandedBlockBytes);
    const Run run{panel, b, n, b == 0, b + n == n_blocks};
    in_tiles<Simd::kWideTokens>(0, n_tokens, [&]<int T>(int64_t token) {
      wide_tokens<Block, R, T>(matrix, run, x, token, output, scratch);
    });
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

}  // namespace
}  // namespace plumb::cpu
