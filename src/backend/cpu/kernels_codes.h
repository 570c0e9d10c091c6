// Panels of codes times quantised activations. Included by kernels_table.h after kernels_blocks.h.
//
// An output is accumulated over the blocks of its row in order, one fused multiply-add per block
// (two with minima, and for each half where these have their own scales) on an exact integer sum,
// in narrow (decode) and wide (prefill) tiles alike.

namespace plumb::cpu {
namespace {

// Where the activations of some tokens stand from some block on. Corners and sums are those of the
// weights' parts: of whole blocks, or of their halves.
template <int kParts>
struct Columns {
  const int8_t* codes;
  const float* scales;
  const int32_t* corners;
  const float* sums;
  int64_t columns, blocks;  // strides from token to token

  Columns(const Activations& x, int64_t token, int64_t block)
      : codes(x.codes + token * x.columns + block * kBlockColumns),
        scales(x.scales + token * x.blocks() + block),
        corners((kParts == 1 ? x.corners : x.half_corners) + (token * x.blocks() + block) * kParts),
        sums((kParts == 1 ? x.scaled_sums : x.half_sums) + (token * x.blocks() + block) * kParts),
        columns(x.columns),
        blocks(x.blocks()) {}

  F scale(int64_t token, int64_t block) const { return Simd::set(scales[token * blocks + block]); }
  int32_t corner(int64_t token, int64_t block, int part) const {
    return corners[(token * blocks + block) * kParts + part];
  }
  F sum(int64_t token, int64_t block, int part) const {
    return Simd::set(sums[(token * blocks + block) * kParts + part]);
  }
};

// sums[r][t] += panel r times token t over n_blocks blocks, from the first of a unit on.
template <typename Block, CacheLevel kAhead, int R, int T>
SIMD_INLINE void tile(const uint8_t* const (&panels)[R], int64_t n_blocks,
                      const Columns<Block::kParts>& x, F (&sums)[R][T]) {
  constexpr int P = Block::kParts;
  typename Block::Reader readers[R];
  F totals[R][T];  // of their own, so that the compiler keeps them in registers
  for (int r = 0; r < R; ++r) {
    readers[r].start(panels[r]);
    for (int t = 0; t < T; ++t) totals[r][t] = sums[r][t];
  }
  for (int64_t b = 0; b < n_blocks; ++b) {
    for (int r = 0; r < R; ++r) readers[r].begin();
    readers[0].template prefetch<kAhead>();
    I dots[P][R][T];
    for (int p = 0; p < P; ++p)
      for (int r = 0; r < R; ++r)
        for (int t = 0; t < T; ++t) dots[p][r][t] = Simd::zero_i();
    typename Block::CodeSums code_sums[R];
    const int8_t* codes = x.codes + b * kBlockColumns;
    each_index<4>([&]<int g>() __attribute__((always_inline)) {
      B low[R], high[R];
      for (int r = 0; r < R; ++r) {
        readers[r].template codes<g>(low[r], high[r]);
        code_sums[r].template add<g>(low[r], high[r]);
      }
      for (int t = 0; t < T; ++t)
        for (int r = 0; r < R; ++r)
          dots[0][r][t] = Simd::template dot<Block::kSmallCodes, g>(dots[0][r][t], low[r],
                                                                    codes + t * x.columns);
      for (int t = 0; t < T; ++t)
        for (int r = 0; r < R; ++r)
          dots[P - 1][r][t] = Simd::template dot<Block::kSmallCodes, g>(dots[P - 1][r][t], high[r],
                                                                        codes + t * x.columns + 16);
    });
    for (int r = 0; r < R; ++r) {
      each_index<P>([&]<int p>() __attribute__((always_inline)) {
        const I corner = code_sums[r].corner(readers[r], p);
        const F scale = readers[r].scale(p);
        for (int t = 0; t < T; ++t) {
          const I exact = Simd::dot_halves(dots[p][r][t], corner, x.corner(t, b, p));
          totals[r][t] =
              Simd::fma(Simd::to_float(exact), Simd::mul(scale, x.scale(t, b)), totals[r][t]);
        }
        if constexpr (Block::kMinimum)
          for (int t = 0; t < T; ++t)
            totals[r][t] = Simd::fma(readers[r].minimum(p), x.sum(t, b, p), totals[r][t]);
      });
      readers[r].next();
    }
  }
  for (int r = 0; r < R; ++r)
    for (int t = 0; t < T; ++t) sums[r][t] = totals[r][t];
}

template <typename Block, CacheLevel kAhead, int T>
void narrow_tokens(const Matrix& matrix, int64_t panel, const Activations& x, int64_t token,
                   const Output& output) {
  const uint8_t* const data[1] = {matrix.data + panel * matrix.panel_stride};
  F sums[1][T];
  for (int t = 0; t < T; ++t) sums[0][t] = Simd::zero();
  tile<Block, kAhead, 1, T>(data, x.blocks(), Columns<Block::kParts>(x, token, 0), sums);
  for (int t = 0; t < T; ++t) put(sums[0][t], matrix, panel, output, token + t);
}

// Few tokens: every panel is read from memory once, unpacked for every tile of tokens.
template <typename Block, CacheLevel kAhead>
void multiply_narrow(const Matrix& matrix, int64_t first, int64_t n, const Activations& x,
                     int64_t n_tokens, const Output& output) {
  constexpr int kTokens = Simd::kNarrowTokens[Block::kParts - 1];
  for (int64_t panel = first; panel < first + n; ++panel)
    in_tiles<kTokens>(0, n_tokens, [&]<int T>(int64_t token) {
      narrow_tokens<Block, kAhead, T>(matrix, panel, x, token, output);
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
  for (int r = 0; r < R; ++r) panels[r] = scratch.expanded + r * kExpandedPanelBytes;
  float* between = scratch.sums + token * R * kPanelRows;
  F sums[R][T];
  if (run.first) {
    for (int r = 0; r < R; ++r)
      for (int t = 0; t < T; ++t) sums[r][t] = Simd::zero();
  } else {
    load_sums(between, sums);
  }
  tile<Block, CacheLevel::first, R, T>(panels, run.n_blocks,
                                       Columns<Block::kParts>(x, token, run.first_block), sums);
  if (!run.last) return store_sums(sums, between);
  for (int t = 0; t < T; ++t)
    for (int r = 0; r < R; ++r) put(sums[r][t], matrix, run.panel + r, output, token + t);
}

// The panels are expanded a run of blocks at a time, all runs of about one length.
template <typename Block, int R>
void wide_panels(const Matrix& matrix, int64_t panel, const Activations& x, int64_t n_tokens,
                 const Output& output, const Scratch& scratch) {
  constexpr int64_t kUnits =
      kExpandedPanelBytes / (Block::kUnitBlocks * Expanded<Block>::kUnitBytes);
  static_assert(kUnits > 0);
  const int64_t n_units = x.blocks() / Block::kUnitBlocks, n_runs = (n_units + kUnits - 1) / kUnits;
  for (int64_t i = 0; i < n_runs; ++i) {
    const int64_t unit = n_units * i / n_runs, n = n_units * (i + 1) / n_runs - unit;
    for (int r = 0; r < R; ++r)
      expand<Block>(matrix.data + (panel + r) * matrix.panel_stride + unit * Block::kUnitBytes,
                    n * Block::kUnitBlocks, scratch.expanded + r * kExpandedPanelBytes);
    const Run run{panel, unit * Block::kUnitBlocks, n * Block::kUnitBlocks, i == 0,
                  i + 1 == n_runs};
    in_tiles<Simd::kWideTokens>(0, n_tokens, [&]<int T>(int64_t token) {
      wide_tokens<Expanded<Block>, R, T>(matrix, run, x, token, output, scratch);
    });
  }
}

template <typename Block>
void multiply_codes(const Matrix& matrix, int64_t first, int64_t n, const Activations& x,
                    int64_t n_tokens, const Output& output, const Scratch& scratch) {
  if (n_tokens < Simd::kWideFrom && prefetch_into == CacheLevel::second)
    return multiply_narrow<Block, CacheLevel::second>(matrix, first, n, x, n_tokens, output);
  if (n_tokens < Simd::kWideFrom)
    return multiply_narrow<Block, CacheLevel::first>(matrix, first, n, x, n_tokens, output);
  int64_t panel = first;
  constexpr int R = Simd::kWidePanels;
  for (; panel + R <= first + n; panel += R)
    wide_panels<Block, R>(matrix, panel, x, n_tokens, output, scratch);
  for (; panel < first + n; ++panel)
    wide_panels<Block, 1>(matrix, panel, x, n_tokens, output, scratch);
}

}  // namespace
}  // namespace plumb::cpu
