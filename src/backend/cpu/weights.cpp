#include "backend/cpu/weights.h"

#include <sys/mman.h>

#include <algorithm>

#include "backend/cpu/panel.h"
#include "base/error.h"

namespace plumb::cpu {
namespace {

int64_t panels_of(const Tensor& tensor) {
  return (tensor.rows + kPanelRows - 1) / kPanelRows;
}

// Weights are read in long streams, for which the system's large pages save look-ups of addresses.
void prefer_large_pages([[maybe_unused]] const AnonymousMemory& memory) {
#if defined(__linux__)
  ::madvise(memory.data(), static_cast<size_t>(memory.size()), MADV_HUGEPAGE);
#endif
}

// Vectors are read in whole panels.
int64_t padded_vector(const Tensor& tensor) {
  return (tensor.elements() + kPanelRows - 1) / kPanelRows * kPanelRows;
}

}  // namespace

Weights::Weights(const Plan& plan) {
  for (const Step& step : plan.steps) std::visit([&](const auto& s) { add(s); }, step.args);
  // Tables that no matrix product reads stay in the file: few of their rows are ever needed.
  for (const Step& step : plan.steps)
    if (const auto* s = std::get_if<Embed>(&step.args)) take(s->table, {.tensor = &s->table});
  bytes_ = carver_.used();
}

void Weights::add(const Project& s) {
  add_vector(s.norm.weight);
  for (const Project::Part& part : s.parts) {
    add_matrix(part.weight);
    add_vector(part.bias);
  }
}

void Weights::add(const ProjectAdd& s) {
  add_matrix(s.weight);
  add_vector(s.bias);
}

void Weights::add(const GateUp& s) {
  add_vector(s.norm.weight);
  add_pair(s.gate, s.up);
  add_vector(s.gate_bias);
  add_vector(s.up_bias);
}

void Weights::add(const Head& s) {
  add_vector(s.norm.weight);
  add_matrix(s.weight);
}

void Weights::take(const Tensor& tensor, Place place) {
  const bool fresh = places_.emplace(tensor.name, place).second;
  if (fresh) order_.push_back(tensor.name);
}

void Weights::add_matrix(const Tensor& tensor) {
  if (places_.contains(tensor.name)) return;
  if (!has_panels(tensor.format)) {
    take(tensor, {&tensor, -1, tensor.row_bytes() * kPanelRows});
    return;
  }
  const int64_t stride = panel_bytes(tensor.format, tensor.columns);
  const int64_t at = carver_.used();
  carver_.take<uint8_t>(saturating_mul(stride, panels_of(tensor)));
  take(tensor, {&tensor, at, stride});
}

// Two matrices of one shape and format that are read together: their panels alternate, so that the
// memory is one stream.
void Weights::add_pair(const Tensor& a, const Tensor& b) {
  const bool alike = a.format == b.format && a.rows == b.rows && a.columns == b.columns;
  const bool fresh = a.name != b.name && !places_.contains(a.name) && !places_.contains(b.name);
  if (!alike || !fresh || !has_panels(a.format)) {
    add_matrix(a);
    add_matrix(b);
    return;
  }
  const int64_t bytes = panel_bytes(a.format, a.columns), at = carver_.used();
  carver_.take<uint8_t>(saturating_mul(2 * bytes, panels_of(a)));
  take(a, {&a, at, 2 * bytes});
  take(b, {&b, at + bytes, 2 * bytes});
}

void Weights::add_vector(const Tensor& tensor) {
  if (!tensor || places_.contains(tensor.name)) return;
  const int64_t at = carver_.used();
  carver_.take<float>(padded_vector(tensor));
  take(tensor, {&tensor, at, 0});
}

void Weights::load(ThreadPool& pool, const KernelSet& kernels, const CompileOptions& options) {
  for (const FormatKernel& f : kernels.formats) multiply_[f.format] = f.multiply;
  generic_ = kernels.generic;
  memory_ = AnonymousMemory(bytes_);
  prefer_large_pages(memory_);
  for (const Key key : order_) {
    const Place& place = places_.at(key);
    if (place.at < 0) continue;
    pack(place, pool);
    options.release_weights(place.tensor->data);
  }
}

void Weights::pack(const Place& place, ThreadPool& pool) {
  const Tensor& tensor = *place.tensor;
  uint8_t* to = memory_.data() + place.at;
  if (place.panel_stride == 0) {
    format_info(tensor.format)
        .decode(tensor.data.data(), reinterpret_cast<float*>(to), tensor.elements());
    return;
  }
  pool.run([&](int64_t thread, int64_t n_threads) {
    const int64_t n = panels_of(tensor), row_bytes = tensor.row_bytes();
    for (int64_t p = n * thread / n_threads; p < n * (thread + 1) / n_threads; ++p) {
      const int64_t row = p * kPanelRows;
      pack_panel(tensor.format, tensor.data.data() + row * row_bytes,
                 std::min(kPanelRows, tensor.rows - row), tensor.columns,
                 to + p * place.panel_stride);
    }
  });
}

const uint8_t* Weights::data(const Place& place) const {
  return place.at < 0 ? place.tensor->data.data() : memory_.data() + place.at;
}

Matrix Weights::matrix(const Tensor& weight, const Tensor& bias) const {
  const Place& place = places_.at(weight.name);
  const auto kernel = multiply_.find(weight.format);
  return {.data = data(place),
          .panel_stride = place.panel_stride,
          .rows = weight.rows,
          .columns = weight.columns,
          .bias = vector(bias),
          .format = weight.format,
          .multiply = kernel == multiply_.end() ? generic_ : kernel->second};
}

const float* Weights::vector(const Tensor& tensor) const {
  if (!tensor) return nullptr;
  return reinterpret_cast<const float*>(data(places_.at(tensor.name)));
}

}  // namespace plumb::cpu
