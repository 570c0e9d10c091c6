#pragma once
// The arithmetic of the reference backend: one function per formula of the model descriptions.

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "model/model_desc.h"

namespace plumb::reference {

// sum of a[i] * b[i], products and sum in f64.
double dot(const float* a, const float* b, int64_t n);

// out = weight * x / sqrt(mean(x^2) + eps)
void rms_norm(std::span<const float> x, std::span<const float> weight, float eps,
              std::span<float> out);

float sigmoid(float x);
// See Activation, all but clamped_swiglu.
float activated(Activation activation, float x);
// c tanh(x / c)
double capped(double x, float c);
// The activation of a gate and its partner.
float gated(Activation activation, float gate, float up);

// Which experts a token uses, by falling logit and rising number, and what each counts.
struct Choice {
  std::vector<int32_t> experts;
  std::vector<double> weights;
};
Choice choose_experts(RouterRule rule, std::span<const float> logits, int64_t n_used);

// Turns one head by its position: (x0, x1) -> (x0 cos - x1 sin, x0 sin + x1 cos) for every pair of
// the layout.
void rotate(const Rope& rope, int64_t position, float* head);

// All values of a vector or matrix (row-major) as floats; empty for an empty tensor.
std::vector<float> decode(const Tensor& tensor);

// y[t, row] = W[row] . x[t] (+ bias[row]) for n rows of x; x and y are row-major with these
// strides. Leaves the rest undone when `stop` (may be null) becomes true.
struct Matrix {
  const float* data;
  int64_t stride;  // values from one row to the next
};
void multiply(const Tensor& weight, const Tensor& bias, int64_t n, Matrix x, float* y,
              int64_t y_stride, const std::atomic<bool>* stop = nullptr);

}  // namespace plumb::reference
