#include "backend/reference/math.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace plumb::reference {

double dot(const float* a, const float* b, int64_t n) {
  double sums[8] = {};  // independent, so that the compiler may use vectors
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int j = 0; j < 8; ++j)
      sums[j] += static_cast<double>(a[i + j]) * static_cast<double>(b[i + j]);
  double sum =
      ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
  for (; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

void rms_norm(std::span<const float> x, std::span<const float> weight, float eps,
              std::span<float> out) {
  const auto n = static_cast<int64_t>(x.size());
  const double mean = dot(x.data(), x.data(), n) / static_cast<double>(n);
  const double scale = 1 / std::sqrt(mean + static_cast<double>(eps));
  for (size_t i = 0; i < x.size(); ++i)
    out[i] = static_cast<float>(static_cast<double>(x[i]) * scale) * weight[i];
}

float sigmoid(float x) {
  return 1 / (1 + std::exp(-x));
}

float activated(Activation activation, float x) {
  if (activation == Activation::silu) return x / (1 + std::exp(-x));
  const double v = static_cast<double>(x);
  const double inner = std::sqrt(2 / 3.14159265358979323846) * (v + 0.044715 * v * v * v);
  return static_cast<float>(0.5 * v * (1 + std::tanh(inner)));
}

double capped(double x, float c) {
  return static_cast<double>(c) * std::tanh(x / static_cast<double>(c));
}

float gated(Activation activation, float gate, float up) {
  if (activation != Activation::clamped_swiglu) return activated(activation, gate) * up;
  const double g = std::min(static_cast<double>(gate), 7.0);
  const double u = std::clamp(static_cast<double>(up), -7.0, 7.0);
  return static_cast<float>(g / (1 + std::exp(-1.702 * g)) * (u + 1));
}

void rotate(const Rope& rope, int64_t position, float* head) {
  const int64_t half = rope.n_dims / 2;
  for (int64_t i = 0; i < half; ++i) {
    const double frequency =
        std::pow(static_cast<double>(rope.base),
                 -2.0 * static_cast<double>(i) / static_cast<double>(rope.n_dims));
    const double factor =
        rope.factors.empty() ? 1.0 : static_cast<double>(rope.factors[static_cast<size_t>(i)]);
    const double theta = static_cast<double>(position) * static_cast<double>(rope.frequency_scale) *
                         frequency / factor;
    const double cosine = static_cast<double>(rope.magnitude) * std::cos(theta);
    const double sine = static_cast<double>(rope.magnitude) * std::sin(theta);
    const bool interleaved = rope.layout == RopeLayout::interleaved;
    float& x0 = head[interleaved ? 2 * i : i];
    float& x1 = head[interleaved ? 2 * i + 1 : i + half];
    const double a = static_cast<double>(x0), b = static_cast<double>(x1);
    x0 = static_cast<float>(a * cosine - b * sine);
    x1 = static_cast<float>(a * sine + b * cosine);
  }
}

std::vector<float> decode(const Tensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.elements()));
  if (tensor)
    format_info(tensor.format).decode(tensor.data.data(), values.data(), tensor.elements());
  return values;
}

void multiply(const Tensor& weight, const Tensor& bias, int64_t n, Matrix x, float* y,
              int64_t y_stride, const std::atomic<bool>* stop) {
  const auto decode_row = format_info(weight.format).decode;
  const std::vector<float> offsets = decode(bias);
  std::vector<float> row(static_cast<size_t>(weight.columns));
  for (int64_t r = 0; r < weight.rows && !(stop && *stop); ++r) {
    decode_row(weight.data.data() + r * weight.row_bytes(), row.data(), weight.columns);
    const double offset =
        offsets.empty() ? 0.0 : static_cast<double>(offsets[static_cast<size_t>(r)]);
    for (int64_t t = 0; t < n; ++t)
      y[t * y_stride + r] =
          static_cast<float>(dot(x.data + t * x.stride, row.data(), weight.columns) + offset);
  }
}

}  // namespace plumb::reference
