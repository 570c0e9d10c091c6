// The gated delta rule of every instruction set against the recurrence that it stands for, in f64.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "backend/cpu/instruction_set.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu_matrix.h"
#include "backend/set_name.h"

namespace plumb {
namespace {

using cpu::kChunkTokens;
using cpu::KernelSet;
using test::Random;

// What one head is given: rows of q and k of unit length, v, and the two gates of each token.
struct Tokens {
  int64_t n, head_dim;
  std::vector<float> rows, v, betas, decays;

  Tokens(int64_t n_tokens, int64_t dim, uint64_t seed) : n(n_tokens), head_dim(dim) {
    Random random(seed);
    rows = random.normals(2 * n * head_dim);
    for (auto row = rows.begin(); row != rows.end(); row += head_dim) {
      const float length = std::sqrt(std::inner_product(row, row + head_dim, row, 0.0f));
      std::for_each(row, row + head_dim, [&](float& x) { x /= length; });
    }
    v = random.normals(n * head_dim);
    for (const float x : random.normals(n, 0, 2)) betas.push_back(1 / (1 + std::exp(-x)));
    // Mostly slow decay; now and then everything is forgotten, or nothing, or nearly everything.
    for (const float x : random.normals(n, -2, 2)) decays.push_back(std::exp(-std::exp(x)));
    for (int64_t t = 5; t < n; t += 11) decays[static_cast<size_t>(t)] = 0;
    for (int64_t t = 7; t < n; t += 13) decays[static_cast<size_t>(t)] = 1e-30f;
    for (int64_t t = 9; t < n; t += 7) decays[static_cast<size_t>(t)] = 1;
  }
  const float* q(int64_t t) const { return rows.data() + 2 * t * head_dim; }
  const float* k(int64_t t) const { return q(t) + head_dim; }
};

// Token by token, as plan.h states it. State [k][v].
struct Recurrence {
  std::vector<double> state, out;

  explicit Recurrence(const Tokens& x)
      : state(static_cast<size_t>(x.head_dim * x.head_dim)),
        out(static_cast<size_t>(x.n * x.head_dim)) {
    const int64_t n = x.head_dim;
    for (int64_t t = 0; t < x.n; ++t)
      for (int64_t j = 0; j < n; ++j) {
        double predicted = 0, read = 0;
        for (int64_t i = 0; i < n; ++i) {
          double& s = state[static_cast<size_t>(i * n + j)];
          s *= static_cast<double>(x.decays[static_cast<size_t>(t)]);
          predicted += s * static_cast<double>(x.k(t)[i]);
        }
        const double change =
            static_cast<double>(x.betas[static_cast<size_t>(t)]) *
            (static_cast<double>(x.v[static_cast<size_t>(t * n + j)]) - predicted);
        for (int64_t i = 0; i < n; ++i) {
          double& s = state[static_cast<size_t>(i * n + j)];
          s += static_cast<double>(x.k(t)[i]) * change;
          read += s * static_cast<double>(x.q(t)[i]);
        }
        out[static_cast<size_t>(t * n + j)] = read;
      }
  }
};

// One head of a sequence, as a backend keeps it.
struct HeadRun {
  explicit HeadRun(const Tokens& tokens)
      : x(tokens),
        state(static_cast<size_t>(x.head_dim * x.head_dim)),
        keys(static_cast<size_t>(x.head_dim * kChunkTokens), NAN),
        changes(keys),
        decays(kChunkTokens, NAN),
        out(static_cast<size_t>(x.n * x.head_dim)) {}

  // The next n tokens, in pieces that end with a chunk.
  void run(const KernelSet& kernels, int64_t n) {
    for (const int64_t end = at + n; at < end;) {
      const int64_t first = at % kChunkTokens, piece = std::min(kChunkTokens - first, end - at);
      std::vector<float> products(static_cast<size_t>(2 * piece * kChunkTokens));
      const cpu::DeltaTokens tokens{first,   piece,       x.head_dim,
                                    x.q(at), keys.data(), products.data()};
      kernels.delta_keys(tokens);
      std::copy_n(x.decays.begin() + at, piece, decays.begin() + first);
      kernels.delta_rule({tokens, x.v.data() + at * x.head_dim, x.betas.data() + at, decays.data(),
                          changes.data(), state.data(), state.data(),
                          out.data() + at * x.head_dim});
      at += piece;
    }
  }

  const Tokens& x;
  int64_t at = 0;
  std::vector<float> state, keys, changes, decays, out;
};

class CpuDelta : public ::testing::TestWithParam<const KernelSet*> {
 protected:
  const KernelSet& kernels = *GetParam();
};
INSTANTIATE_TEST_SUITE_P(Sets, CpuDelta, ::testing::ValuesIn(cpu::available_kernels()),
                         [](const auto& param) { return test::set_name(param.param->name); });

TEST_P(CpuDelta, ChunksAreTheRecurrence) {
  for (const int64_t head_dim : {16, 48, 128}) {
    const Tokens x(4 * kChunkTokens, head_dim, 3);
    const Recurrence expected(x);
    HeadRun head(x);
    head.run(kernels, x.n);
    for (size_t i = 0; i < head.out.size(); ++i)
      ASSERT_NEAR(static_cast<double>(head.out[i]), expected.out[i], 1e-5)
          << head_dim << " at " << i;
    for (int64_t i = 0; i < head_dim; ++i)
      for (int64_t j = 0; j < head_dim; ++j)
        ASSERT_NEAR(static_cast<double>(
                        head.state[static_cast<size_t>((j / 16 * head_dim + i) * 16 + j % 16)]),
                    expected.state[static_cast<size_t>(i * head_dim + j)], 1e-5)
            << head_dim << " at " << i << ", " << j;
  }
}

TEST_P(CpuDelta, CutsChangeNothing) {
  const Tokens x(3 * kChunkTokens, 48, 5);
  HeadRun whole(x);
  whole.run(kernels, x.n);
  const std::vector<std::vector<int64_t>> cuts{
      std::vector<int64_t>(static_cast<size_t>(x.n), 1), {7, 9, 1, 31}, {15, 2, 15, 16}, {40, 8}};
  for (const auto& cut : cuts) {
    HeadRun pieces(x);
    for (const int64_t n : cut) pieces.run(kernels, n);
    EXPECT_EQ(pieces.out, whole.out) << cut[0];
    EXPECT_EQ(pieces.state, whole.state) << cut[0];
  }
}

// Between the ends of chunks nothing is written to a state.
TEST_P(CpuDelta, AStateIsWrittenOncePerChunk) {
  const Tokens x(2 * kChunkTokens, 32, 7);
  HeadRun head(x);
  auto before = head.state;
  for (int64_t t = 0; t < x.n; ++t) {
    head.run(kernels, 1);
    EXPECT_EQ(head.state == before, (t + 1) % kChunkTokens != 0) << t;
    before = head.state;
  }
}

}  // namespace
}  // namespace plumb
