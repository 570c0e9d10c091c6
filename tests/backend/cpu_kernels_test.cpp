// Every kernel of every instruction set that this machine can run, against the scalar codecs and
// f64 sums.

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <numeric>

#include "backend/cpu/instruction_set.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu_matrix.h"
#include "backend/set_name.h"
#include "base/error.h"

namespace plumb {
namespace {

using cpu::KernelSet;
using test::ActivationRows;
using test::PanelMatrix;
using test::Random;
using test::ScratchSpace;

class CpuKernels : public ::testing::TestWithParam<const KernelSet*> {
 protected:
  const KernelSet& kernels = *GetParam();
};
INSTANTIATE_TEST_SUITE_P(Sets, CpuKernels, ::testing::ValuesIn(cpu::available_kernels()),
                         [](const auto& param) { return test::set_name(param.param->name); });

std::vector<Format> decodable() {
  std::vector<Format> all;
  for (const FormatInfo& info : all_formats())
    if (info.decode) all.push_back(info.format);
  return all;
}

std::vector<float> product(const PanelMatrix& m, const ActivationRows& x) {
  std::vector<float> out(static_cast<size_t>(x.n * m.matrix.rows), 1e30f);
  ScratchSpace scratch(x.n, m.matrix.columns);
  m.matrix.multiply(m.matrix, 0, m.matrix.panels(), x.x, x.n,
                    {out.data(), m.matrix.rows, cpu::Into::set}, scratch.get());
  return out;
}

// Rounding of one product and one sum per block, in units of the largest possible products.
constexpr double kRounding = 6e-7;

// n blocks of 32, or more than n values, as the format allows.
int64_t columns_of(Format format, int64_t n) {
  const int64_t block = format_info(format).block_elems;
  return block == 1 ? 5 * n : block == 32 ? 32 * n : 256 * ((n + 7) / 8);
}

TEST_P(CpuKernels, RandomMatricesOfEveryFormatAndShape) {
  struct Shape {
    int64_t rows, blocks, tokens;
  };
  constexpr Shape kShapes[] = {{1, 1, 1},    {16, 3, 2},   {17, 5, 3},  {48, 17, 1}, {70, 7, 5},
                               {33, 19, 12}, {80, 35, 13}, {15, 4, 33}, {50, 9, 27}, {64, 33, 8}};
  Random random(1);
  for (const Format format : decodable())
    for (const Shape& s : kShapes) {
      const int64_t columns = columns_of(format, s.blocks);
      const PanelMatrix m(format, s.rows, columns,
                          test::random_blocks(format, s.rows * columns, random), kernels);
      const ActivationRows x(random.normals(s.tokens * columns, 0.3f), columns, kernels);
      EXPECT_LT(test::relative_error(m, x, product(m, x)), kRounding)
          << format_info(format).name << " " << s.rows << " x " << columns << ", " << s.tokens;
    }
}

// The level of the cache that weights are fetched into is the processor's; the results are not.
TEST_P(CpuKernels, FetchingAheadChangesNothing) {
  const cpu::CacheLevel own = cpu::prefetch_into;
  Random random(5);
  for (const Format format : decodable()) {
    const int64_t rows = 70, columns = columns_of(format, 35);
    const PanelMatrix m(format, rows, columns, test::random_blocks(format, rows * columns, random),
                        kernels);
    for (const int64_t tokens : {1, 4, 13}) {
      const ActivationRows x(random.normals(tokens * columns, 0.3f), columns, kernels);
      std::vector<std::vector<float>> products;
      for (const cpu::CacheLevel level : {cpu::CacheLevel::first, cpu::CacheLevel::second}) {
        cpu::prefetch_into = level;
        products.push_back(product(m, x));
      }
      cpu::prefetch_into = own;
      EXPECT_LT(test::relative_error(m, x, products[0]), kRounding) << format_info(format).name;
      EXPECT_EQ(products[0], products[1]) << format_info(format).name << ", " << tokens;
    }
  }
}

// What a format is that has no panels yet.
TEST_P(CpuKernels, TheFilesOwnLayout) {
  Random random(12);
  const int64_t rows = 40, columns = 512;
  for (const Format format : {Format::q4_1, Format::q6_k, Format::bf16})
    for (const int64_t tokens : {1, 9}) {
      const PanelMatrix m =
          PanelMatrix(format, rows, columns, test::random_blocks(format, rows * columns, random),
                      kernels)
              .in_the_file(kernels);
      const ActivationRows x(random.normals(tokens * columns), columns, kernels);
      EXPECT_LT(test::relative_error(m, x, product(m, x), test::Form::f32), kRounding)
          << format_info(format).name;
    }
}

// Where the f16 scales and minima of a block stand.
std::vector<size_t> f16_places(Format format) {
  switch (format) {
    case Format::q4_1:
    case Format::q5_1:
    case Format::q4_k:
    case Format::q5_k:
      return {0, 2};
    case Format::q2_k:
      return {80, 82};
    case Format::q3_k:
      return {108};
    case Format::q6_k:
      return {208};
    default:
      return {0};
  }
}

// Codes and small scales at their ends under scales at theirs.
TEST_P(CpuKernels, ExtremeBlocks) {
  Random random(2);
  const int64_t rows = 33;
  for (const cpu::FormatKernel& f : kernels.formats) {
    if (!cpu::reads_codes(f.format)) continue;
    const FormatInfo& info = format_info(f.format);
    const int64_t columns = columns_of(f.format, 3);
    for (const uint16_t scale : {0x0000, 0x0001, 0x03ff, 0x3c00, 0xbc00, 0x7bff}) {
      std::vector<uint8_t> blocks(static_cast<size_t>(format_bytes(f.format, rows * columns)));
      for (size_t at = 0; at < blocks.size(); at += static_cast<size_t>(info.block_bytes)) {
        const uint8_t fill[] = {0x00, 0xff, 0x80, 0x7f, 0x0f, random.byte()};
        std::memset(&blocks[at], fill[random.below(6)], static_cast<size_t>(info.block_bytes));
        if (f.format == Format::mxfp4)
          blocks[at] = static_cast<uint8_t>(scale >> 8);  // up to 2^-4
        else
          for (const size_t place : f16_places(f.format))
            std::memcpy(&blocks[at + place], &scale, 2);
      }
      const PanelMatrix m(f.format, rows, columns, blocks, kernels);
      for (const int64_t tokens : {1, 14}) {
        auto values = random.normals(tokens * columns);
        values[5] = 1000;  // an outlier
        const ActivationRows x(values, columns, kernels);
        EXPECT_LT(test::relative_error(m, x, product(m, x)), kRounding)
            << info.name << " " << scale;
      }
    }
  }
}

TEST_P(CpuKernels, RoundedActivations) {
  if (!kernels.round) GTEST_SKIP() << kernels.name << " has no products of bfloat16";
  Random random(21);
  for (const int64_t columns : {1, 15, 16, 33, 64}) {
    auto values = random.normals(3 * columns, 0, 10);
    values[0] = -65280.5f;
    const ActivationRows x(values, columns, kernels);
    for (int64_t t = 0; t < 3; ++t)
      for (int64_t k = 0; k < x.x.rounded_columns(); ++k)
        EXPECT_EQ(x.rounded[static_cast<size_t>(t * x.x.rounded_columns() + k)],
                  k < columns ? f32_to_bf16(values[static_cast<size_t>(t * columns + k)]) : 0);
  }
}

TEST_P(CpuKernels, BiasAddAndGate) {
  Random random(3);
  const int64_t rows = 40, columns = 64;
  for (const Format format : {Format::q4_1, Format::f16, Format::q6_k}) {
    const int64_t wide = format == Format::q6_k ? 256 : columns;
    PanelMatrix m(format, rows, wide, test::random_blocks(format, rows * wide, random), kernels);
    const ActivationRows x(random.normals(13 * wide), wide, kernels);
    const std::vector<float> plain = product(m, x);
    std::vector<float> bias = random.normals(48);
    m.matrix.bias = bias.data();
    const std::vector<float> start = random.normals(13 * rows);
    ScratchSpace scratch(13, wide);
    for (const cpu::Into into :
         {cpu::Into::set, cpu::Into::add, cpu::Into::gate_silu, cpu::Into::gate_gelu}) {
      std::vector<float> out = start;
      m.matrix.multiply(m.matrix, 0, m.matrix.panels(), x.x, 13, {out.data(), rows, into},
                        scratch.get());
      for (size_t i = 0; i < out.size(); ++i) {
        const double y = static_cast<double>(plain[i]) + bias[i % 40], old = start[i];
        const double cubic = std::sqrt(2 / std::numbers::pi) * (old + 0.044715 * old * old * old);
        const double expected = into == cpu::Into::set   ? y
                                : into == cpu::Into::add ? old + y
                                : into == cpu::Into::gate_silu
                                    ? old / (1 + std::exp(-old)) * y
                                    : old / 2 * (1 + std::tanh(cubic)) * y;
        ASSERT_NEAR(out[i], expected, 1e-5 * (1 + std::abs(expected))) << format_info(format).name;
      }
    }
  }
}

// The same output whatever the tokens and panels beside it, to the bit.
TEST_P(CpuKernels, OutputsDoNotDependOnTheirNeighbours) {
  Random random(4);
  const int64_t rows = 100, n = 37;
  for (const Format format : decodable()) {
    const int64_t columns = format_info(format).block_elems == 256 ? 512 : 544;
    const PanelMatrix m(format, rows, columns, test::random_blocks(format, rows * columns, random),
                        kernels);
    const std::vector<float> values = random.normals(n * columns);
    const std::vector<float> all = product(m, ActivationRows(values, columns, kernels));
    ScratchSpace scratch(n, columns);
    for (const int64_t tokens : {1, 2, 4, 7, 13}) {
      const int64_t first = n - tokens;
      const ActivationRows x({values.begin() + first * columns, values.end()}, columns, kernels);
      std::vector<float> out(static_cast<size_t>(tokens * rows));
      for (const auto& [panel, count] : {std::pair<int64_t, int64_t>{0, 1}, {1, 3}, {4, 3}})
        m.matrix.multiply(m.matrix, panel, count, x.x, tokens, {out.data(), rows, cpu::Into::set},
                          scratch.get());
      ASSERT_EQ(std::memcmp(out.data(), &all[static_cast<size_t>(first * rows)],
                            out.size() * sizeof(float)),
                0)
          << format_info(format).name << ", " << tokens << " tokens";
    }
  }
}

TEST_P(CpuKernels, CapGateAndAdd) {
  Random random(22);
  for (const int64_t n : {1, 15, 16, 33, 100}) {
    const std::vector<float> x = random.normals(n, 0, 20), y = random.normals(n, 0, 5);
    std::vector<float> capped = x, gated = x, added = x;
    kernels.cap(capped.data(), 30, n);
    kernels.gate(gated.data(), y.data(), n);
    kernels.add(added.data(), y.data(), 0.7f, n);
    for (size_t i = 0; i < x.size(); ++i) {
      const double a = x[i], b = y[i];
      EXPECT_NEAR(capped[i], 30 * std::tanh(a / 30), 1e-5);
      EXPECT_NEAR(gated[i], a / (1 + std::exp(-b)), 1e-5);
      EXPECT_NEAR(added[i], 0.7 * (a + b), 1e-5);
    }
  }
  std::vector<float> far{1e30f, -1e30f, 0};
  kernels.cap(far.data(), 50, 3);
  EXPECT_EQ(far, std::vector<float>({50, -50, 0}));
}

TEST_P(CpuKernels, QuantisedActivations) {
  Random random(5);
  const int64_t columns = 32;
  std::vector<std::vector<float>> rows{random.normals(32),
                                       random.normals(32, 100, 0.01f),
                                       std::vector<float>(32, 0.0f),
                                       std::vector<float>(32, -3.5f),
                                       random.normals(32, 0, 1e-30f),
                                       random.normals(32, -2)};
  rows[0][7] = 300;
  for (const auto& row : rows) {
    const ActivationRows x(row, columns, kernels);
    const auto [low, high] = std::minmax_element(row.begin(), row.end());
    const float largest = std::max(std::abs(*low), std::abs(*high));
    const double step = std::max((*high - *low) / 254, largest / 999);
    double sum = 0;
    for (int64_t k = 0; k < columns; ++k) {
      EXPECT_NEAR(x.seen(0, k, test::Form::codes), row[static_cast<size_t>(k)],
                  step * 0.501 + 1e-6 * largest);
      sum += x.codes[static_cast<size_t>(k)] + static_cast<int16_t>(x.corners[0]);
    }
    EXPECT_EQ(x.corners[0] >> 16, -sum);
    EXPECT_FLOAT_EQ(x.scaled_sums[0], static_cast<float>(x.scales[0] * sum));
    EXPECT_LE(std::abs(sum), 32767);
  }
}

TEST_P(CpuKernels, ActivationsThatAreNotNumbersSpoilTheirOwnTokenOnly) {
  Random random(6);
  const PanelMatrix m(Format::q4_0, 16, 64, test::random_blocks(Format::q4_0, 16 * 64, random),
                      kernels);
  for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    std::vector<float> values = random.normals(3 * 64);
    std::fill_n(values.begin() + 64, 64, bad);
    const std::vector<float> out = product(m, ActivationRows(values, 64, kernels));
    for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(std::isfinite(out[i]), i / 16 != 1) << i;
  }
}

TEST_P(CpuKernels, Norm) {
  Random random(7);
  for (const int64_t n : {1, 16, 40, 576}) {
    const auto x = random.normals(n, 0.5f, 3), weight = random.normals(n);
    std::vector<float> out(x.size());
    kernels.norm(x.data(), weight.data(), 1e-5f, n, out.data());
    double squares = 0;
    for (const float v : x) squares += static_cast<double>(v) * v;
    const double scale = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
    for (size_t i = 0; i < x.size(); ++i)
      EXPECT_NEAR(out[i], x[i] * scale * weight[i], 1e-6 * (1 + std::abs(out[i])));
  }
}

TEST_P(CpuKernels, Rotation) {
  Random random(8);
  for (const bool interleaved : {true, false})
    for (const auto& [n_dims, head_dim] :
         {std::pair<int64_t, int64_t>{64, 64}, {12, 20}, {32, 80}, {128, 128}, {2, 4}, {0, 24}}) {
      const auto x = random.normals(head_dim);
      std::vector<float> cosines(static_cast<size_t>(n_dims)), sines(cosines), out(x.size());
      std::vector<double> expected(x.begin(), x.end());
      for (int64_t i = 0; i < n_dims / 2; ++i) {
        const double angle = 0.7 * static_cast<double>(i + 1);
        const auto a = static_cast<size_t>(interleaved ? 2 * i : i),
                   b = static_cast<size_t>(interleaved ? 2 * i + 1 : i + n_dims / 2);
        cosines[a] = cosines[b] = static_cast<float>(std::cos(angle));
        sines[b] = static_cast<float>(std::sin(angle));
        sines[a] = -sines[b];
        expected[a] = x[a] * std::cos(angle) - x[b] * std::sin(angle);
        expected[b] = x[a] * std::sin(angle) + x[b] * std::cos(angle);
      }
      kernels.rotate({cosines.data(), sines.data(), n_dims, head_dim, interleaved}, x.data(), 0.5f,
                     out.data());
      for (size_t i = 0; i < out.size(); ++i) EXPECT_NEAR(out[i], 0.5 * expected[i], 1e-6);
    }
}

TEST_P(CpuKernels, Largest) {
  const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  Random random(9);
  for (const int64_t n : {1, 2, 15, 16, 17, 1000}) {
    auto values = random.normals(n, -10);
    const auto at = static_cast<size_t>(n / 2);
    values[at] = 5;
    if (n > 3) values[at + 1] = 5;  // a tie
    EXPECT_EQ(kernels.largest(values.data(), n), n / 2);
    if (n > 3) values[0] = values[at - 1] = nan;
    EXPECT_EQ(kernels.largest(values.data(), n), n / 2);
  }
  const std::vector<float> none{nan, -inf, nan}, all_nan{nan, nan};
  EXPECT_EQ(kernels.largest(none.data(), 3), 1);
  EXPECT_EQ(kernels.largest(all_nan.data(), 2), 0);
}

TEST_P(CpuKernels, SoftmaxAndMerge) {
  Random random(10);
  for (const int64_t n : {1, 15, 16, 100, 128}) {
    std::vector<float> scores = random.normals(128, 0, 20), weights = scores;
    std::fill(weights.begin() + n, weights.end(), std::nanf(""));
    float max = 0, sum = 0;
    kernels.softmax(weights.data(), n, &max, &sum);
    EXPECT_EQ(max, *std::max_element(scores.begin(), scores.begin() + n));
    double expected = 0;
    for (size_t i = 0; i < 128; ++i) {
      const double w =
          static_cast<int64_t>(i) < n ? std::exp(static_cast<double>(scores[i] - max)) : 0;
      EXPECT_NEAR(weights[i], w, 3e-7 * w + 1e-37);
      expected += w;
    }
    EXPECT_NEAR(sum, expected, 1e-6 * expected);
  }
  float max = 1, sum = 2;
  std::vector<float> values(16, 3.0f), next(16, 5.0f), out(16);
  kernels.merge(&max, &sum, values.data(), 2, 7, next.data(), 16);
  EXPECT_EQ(max, 2);
  EXPECT_NEAR(sum, 2 * std::exp(-1.0) + 7, 1e-5);
  kernels.divide(values.data(), sum, 16, out.data());
  EXPECT_NEAR(out[3], (3 * std::exp(-1.0) + 5) / (2 * std::exp(-1.0) + 7), 1e-6);
}

TEST(CpuInstructionSets, UnknownNamesAreRefused) {
  EXPECT_EQ(cpu::choose_kernels("scalar").name, "scalar");
  EXPECT_EQ(&cpu::choose_kernels(""), cpu::available_kernels().front());
  EXPECT_THROW(cpu::choose_kernels("mmx"), Error);
}

}  // namespace
}  // namespace plumb
