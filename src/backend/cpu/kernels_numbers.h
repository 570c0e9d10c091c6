// Panels of numbers times f32 activations, and any other format by decoding it to such panels.
// Included by kernels_table.h after kernels_tiles.h.

namespace plumb::cpu {
namespace {

// Panels of numbers, [columns][16 rows]. Each output is one chain of multiply-adds in column order;
// several panels or tokens at once keep the multipliers busy.

// One column, and the value of a token that all of its rows are multiplied with.
struct F32Activations {
  static constexpr int kColumns = 1;
  SIMD_INLINE const float* values(const Activations& x) { return x.values; }
  SIMD_INLINE int64_t stride(const Activations& x) { return x.columns; }
  SIMD_INLINE F multiply(F w, const float* x, F sum) { return Simd::fma(w, Simd::set(*x), sum); }
};
struct F32Column : F32Activations {
  static constexpr int kBytes = 64;
  SIMD_INLINE F load(const uint8_t* p) { return Simd::load(reinterpret_cast<const float*>(p)); }
};
struct F16Column : F32Activations {
  static constexpr int kBytes = 32;
  SIMD_INLINE F load(const uint8_t* p) {
    return Simd::load_f16(reinterpret_cast<const uint16_t*>(p));
  }
};
struct Bf16Column : F32Activations {
  static constexpr int kBytes = 32;
  SIMD_INLINE F load(const uint8_t* p) {
    return Simd::load_bf16(reinterpret_cast<const uint16_t*>(p));
  }
};

template <typename Column, CacheLevel kAhead, int R, int T>
void number_tile(const Matrix& matrix, int64_t panel, const Activations& x, int64_t token,
                 const Output& output) {
  const uint8_t* data = matrix.data + panel * matrix.panel_stride;
  const int64_t stride = Column::stride(x);
  const auto* values = Column::values(x) + token * stride;
  F sums[R][T];
  for (int r = 0; r < R; ++r)
    for (int t = 0; t < T; ++t) sums[r][t] = Simd::zero();
  int64_t k = 0;
  for (; k + Column::kColumns <= x.columns; k += Column::kColumns) {
    for (int r = 0; r < R; ++r) {
      const uint8_t* at = data + r * matrix.panel_stride + k * Column::kBytes;
      prefetch<kAhead>(at + kPrefetchBytes / R);
      const auto w = Column::load(at);
      for (int t = 0; t < T; ++t)
        sums[r][t] = Column::multiply(w, values + t * stride + k, sums[r][t]);
    }
  }
  if constexpr (Column::kColumns == 2)
    if (k < x.columns)
      for (int r = 0; r < R; ++r) {
        const auto w = Column::load_last(data + r * matrix.panel_stride + k * Column::kBytes);
        for (int t = 0; t < T; ++t)
          sums[r][t] = Column::multiply(w, values + t * stride + k, sums[r][t]);
      }
  for (int t = 0; t < T; ++t)
    for (int r = 0; r < R; ++r) put(sums[r][t], matrix, panel + r, output, token + t);
}

template <typename Column, CacheLevel kAhead, int R, int T>
void number_panels(const Matrix& matrix, int64_t panel, const Activations& x, int64_t n_tokens,
                   const Output& output) {
  in_halving_tiles<T>(0, n_tokens, [&]<int N>(int64_t token) {
    number_tile<Column, kAhead, R, N>(matrix, panel, x, token, output);
  });
}

template <typename Column, CacheLevel kAhead>
void multiply_numbers(const Matrix& matrix, int64_t first, int64_t n, const Activations& x,
                      int64_t n_tokens, const Output& output) {
  constexpr int R = Simd::kWidePanels;
  int64_t panel = first;
  if (n_tokens < Simd::kFloatTokens)
    for (; panel + 4 <= first + n; panel += 4)
      number_panels<Column, kAhead, 4, Simd::kFewFloatTokens>(matrix, panel, x, n_tokens, output);
  for (; panel + R <= first + n; panel += R)
    number_panels<Column, kAhead, R, Simd::kFloatTokens>(matrix, panel, x, n_tokens, output);
  for (; panel < first + n; ++panel)
    number_panels<Column, kAhead, 1, Simd::kFloatTokens>(matrix, panel, x, n_tokens, output);
}
template <typename Column>
void multiply_numbers(const Matrix& matrix, int64_t first, int64_t n, const Activations& x,
                      int64_t n_tokens, const Output& output, const Scratch&) {
  if (prefetch_into == CacheLevel::second)
    return multiply_numbers<Column, CacheLevel::second>(matrix, first, n, x, n_tokens, output);
  multiply_numbers<Column, CacheLevel::first>(matrix, first, n, x, n_tokens, output);
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
    number_panels<F32Column, CacheLevel::first, 1, Simd::kFloatTokens>(decoded, panel, x, n_tokens,
                                                                       output);
  }
}

}  // namespace
}  // namespace plumb::cpu
