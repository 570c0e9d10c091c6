#include "backend/cpu/weights.h"

#include <sys/mman.h>

#include <algorithm>

#include "backend/cpu/multiply.h"
#include "backend/cpu/panel.h"
#include "base/error.h"

namespace plumb::cpu {
namespace {

int64_t panels_of(const Tensor& tensor) {
  return (tensor.rows + kPanelRows - 1) / kPanelRows;
}

// Maps the pages of these bytes at once instead of by a fault every few of them, and so that what
// is prefetched is there to be fetched. Where the system cannot, they fault.
void map_pages([[maybe_unused]] std::span<const uint8_t> bytes) {
#if defined(MADV_POPULATE_READ)
  constexpr uintptr_t kPage = 4096;
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data()) / kPage * kPage;
  const auto end = reinterpret_cast<uintptr_t>(bytes.data() + bytes.size());
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_READ);
#endif
}

// Vectors are read in whole panels.
int64_t padded_vector(const Tensor& tensor) {
  return (tensor.elements() + kPanelRows - 1) / kPanelRows * kPanelRows;
}

}  // namespace

Weights::Weights(const Plan& plan, Lives lives) : lives_(lives) {
  for (const Step& step : plan.steps) std::visit([&](const auto& s) { add(s); }, step.args);
  // Tables that no matrix product reads stay in the file: few of their rows are ever needed.
  for (const Step& step : plan.steps)
    if (const Tensor* table = table_of(step)) leave_in_file(*table);
}

void Weights::add(const Project& s) {
  add_vector(s.norm.weight);
  for (const Project::Part& part : s.parts) {
    add_matrix(part.weight);
    add_vector(part.bias);
  }
}

void Weights::add(const Attend& s) {
  add_vector(s.q_norm.weight);
  add_vector(s.k_norm.weight);
  add_vector(s.sinks);
}

void Weights::add(const AddBranches& s) {
  for (const AddBranches::Branch& branch : s.branches) add_vector(branch.norm.weight);
  add_vector(s.norm.weight);
}

void Weights::add(const EmbedSlices& s) {
  add_vector(s.norm.weight);
}

void Weights::add(const GateBy& s) {
  add_matrix(s.gate);
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
  add_vector(s.bias);
}

void Weights::take(const Tensor& tensor, Place place) {
  const bool fresh = places_.emplace(tensor.name, place).second;
  if (fresh) order_.push_back(tensor.name);
}

void Weights::add_matrix(const Tensor& tensor) {
  if (places_.contains(tensor.name)) return;
  if (lives_ == Lives::in_file || !has_panels(tensor.format)) {
    leave_in_file(tensor);
    if (!has_panels(tensor.format)) return;
    packed_bytes_ = std::max(packed_bytes_, PackedPanels(tensor.format, tensor.columns).bytes());
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
  if (!alike || !fresh || lives_ == Lives::in_file || !has_panels(a.format)) {
    add_matrix(a);
    add_matrix(b);
    return;
  }
  const int64_t bytes = panel_bytes(a.format, a.columns), at = carver_.used();
  carver_.take<uint8_t>(saturating_mul(2 * bytes, panels_of(a)));
  take(a, {&a, at, 2 * bytes});
  take(b, {&b, at + bytes, 2 * bytes});
}

void Weights::leave_in_file(const Tensor& tensor) {
  if (places_.contains(tensor.name)) return;
  take(tensor, {&tensor, -1, tensor.row_bytes() * kPanelRows});
  file_bytes_ = saturating_add(file_bytes_, tensor.bytes());
}

void Weights::add_vector(const Tensor& tensor) {
  if (!tensor || places_.contains(tensor.name)) return;
  const int64_t at = carver_.used();
  carver_.take<float>(padded_vector(tensor));
  take(tensor, {&tensor, at, 0});
}

void Weights::load(ThreadPool& pool, const KernelSet& kernels, const CompileOptions& options) {
  for (const FormatKernel& f : kernels.formats) kernels_[f.format] = f;
  generic_ = kernels.generic;
  memory_ = AnonymousMemory(bytes());
  memory_.prefer_large_pages();
  for (const Key key : order_) {
    const Place& place = places_.at(key);
    if (place.at < 0) continue;
    if (place.panel_stride == 0)
      decode(place, options);
    else
      pool.run([&](int64_t thread, int64_t n_threads) {
        const int64_t n = panels_of(*place.tensor);
        pack(place, n * thread / n_threads, n * (thread + 1) / n_threads, options);
      });
  }
}

void Weights::decode(const Place& place, const CompileOptions& options) {
  const Tensor& tensor = *place.tensor;
  format_info(tensor.format)
      .decode(tensor.data.data(), reinterpret_cast<float*>(memory_.data() + place.at),
              tensor.elements());
  options.release_weights(tensor.data);
}

// Panels [begin, end), a piece at a time: large enough that asking for the file's pages and giving
// them back costs little, small enough not to be noticed beside the weights.
void Weights::pack(const Place& place, int64_t begin, int64_t end, const CompileOptions& options) {
  constexpr int64_t kPieceBytes = int64_t{2} << 20;
  const Tensor& tensor = *place.tensor;
  const int64_t bytes = tensor.row_bytes() * kPanelRows;
  const int64_t piece = std::max(kPieceBytes / bytes, int64_t{1});
  const auto rows_before = [&](int64_t panel) {
    return tensor.data.first(std::min(static_cast<size_t>(panel * bytes), tensor.data.size()));
  };
  for (; begin < end; begin += piece) {
    const int64_t next = std::min(begin + piece, end);
    const auto rows = rows_before(next).subspan(static_cast<size_t>(begin * bytes));
    map_pages(rows);
    for (int64_t p = begin; p < next; ++p)
      pack_panel(tensor.format, tensor.data.data() + p * bytes,
                 std::min(kPanelRows, tensor.rows - p * kPanelRows), tensor.columns,
                 memory_.data() + place.at + p * place.panel_stride);
    options.release_weights(rows);
  }
}

const uint8_t* Weights::data(const Place& place) const {
  return place.at < 0 ? place.tensor->data.data() : memory_.data() + place.at;
}

Matrix Weights::matrix(const Tensor& weight, const Tensor& bias) const {
  const Place& place = places_.at(weight.name);
  const auto kernel = kernels_.find(weight.format);
  const bool found = kernel != kernels_.end();
  return {.data = data(place),
          .lives = place.at < 0 ? Lives::in_file : Lives::in_panels,
          .panel_stride = place.panel_stride,
          .rows = weight.rows,
          .columns = weight.columns,
          .bias = vector(bias),
          .format = weight.format,
          .multiply = found ? kernel->second.multiply : generic_,
          .reads_rounded = found && kernel->second.reads_rounded};
}

const float* Weights::vector(const Tensor& tensor) const {
  if (!tensor) return nullptr;
  return reinterpret_cast<const float*>(data(places_.at(tensor.name)));
}

}  // namespace plumb::cpu
