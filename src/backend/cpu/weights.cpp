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
int64_t padded_columns(const Tensor& tensor) {
  return (tensor.columns + kPanelRows - 1) / kPanelRows * kPanelRows;
}

}  // namespace

Weights::Weights(const Plan& plan, Lives lives, int64_t room) : lives_(lives) {
  add_all(plan);
  if (lives == Lives::in_file || bytes() <= room) return;
  leave_experts(plan, bytes() - room);
  carver_ = Carver();
  file_bytes_ = packed_bytes_ = 0;
  places_.clear();
  order_.clear();
  add_all(plan);
}

void Weights::add_all(const Plan& plan) {
  for (const Step& step : plan.steps) std::visit([&](const auto& s) { add(s); }, step.args);
  // Tables that no matrix product reads stay in the file: few of their rows are ever needed.
  for (const Step& step : plan.steps)
    if (const Tensor* table = table_of(step)) leave_in_file(*table);
}

// As many stacks as make up these bytes, from the last layer on.
void Weights::leave_experts(const Plan& plan, int64_t bytes) {
  const auto leave = [&](const ExpertStack& stack) {
    const Place& place = places_.at(stack.weight.name);
    if (bytes <= 0 || place.at < 0 || !left_.insert(stack.weight.name).second) return;
    bytes -= place.panels() * panel_bytes(place.tensor->format, place.tensor->columns);
  };
  for (auto step = plan.steps.rbegin(); step != plan.steps.rend(); ++step) {
    if (const auto* s = std::get_if<ExpertDownAdd>(&step->args)) leave(s->down);
    if (const auto* s = std::get_if<ExpertGateUp>(&step->args)) leave(s->up), leave(s->gate);
  }
}

int64_t Weights::expert_file_bytes() const {
  int64_t bytes = 0;
  for (const Key name : left_) bytes += places_.at(name).tensor->bytes();
  return bytes;
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

void Weights::add(const DeltaRule& s) {
  add_transposed(s.conv);
  add_vector(s.a);
  add_vector(s.dt_bias);
  add_vector(s.norm);
}

void Weights::add(const Route& s) {
  add_vector(s.norm.weight);
  add_vector(s.router_norm.weight);
  add_router(s.router, s.scale);
  add_vector(s.bias);
  add_vector(s.shared_gate);
  if (s.shared < 0) return;
  add_pair(s.shared_ffn.gate, s.shared_ffn.up);
  add_vector(s.shared_ffn.gate_bias);
  add_vector(s.shared_ffn.up_bias);
}

void Weights::add(const ExpertGateUp& s) {
  add_vector(s.norm.weight);
  add_vector(s.expert_scale);
  add_stacks(s.gate, s.up);
}

void Weights::add(const ExpertDownAdd& s) {
  add_stack(s.down);
  if (s.shared < 0) return;
  add_matrix(s.shared_down);
  add_vector(s.shared_bias);
}

void Weights::take(const Tensor& tensor, Place place) {
  const bool fresh = places_.emplace(tensor.name, place).second;
  if (fresh) order_.push_back(tensor.name);
}

void Weights::add_matrix(const Tensor& tensor) {
  if (places_.contains(tensor.name)) return;
  if (lives_ == Lives::in_file || !has_panels(tensor.format) || left_.contains(tensor.name)) {
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

// Routers are never multiplied with rounded activations, whatever they are stored in.
void Weights::add_router(const Tensor& tensor, float factor) {
  if (places_.contains(tensor.name)) return;
  const int64_t stride = panel_bytes(Format::f32, tensor.columns), at = carver_.used();
  carver_.take<uint8_t>(saturating_mul(stride, panels_of(tensor)));
  take(tensor,
       {.tensor = &tensor, .at = at, .panel_stride = stride, .decoded = true, .factor = factor});
}

// Every expert fills panels of its own.
void Weights::add_stack(const ExpertStack& stack, bool alternates) {
  const Tensor& tensor = stack.weight;
  add_vector(stack.bias);
  if (places_.contains(tensor.name)) return;
  if (lives_ == Lives::in_file || !has_panels(tensor.format) || left_.contains(tensor.name))
    return add_matrix(tensor);
  const int64_t bytes = panel_bytes(tensor.format, tensor.columns);
  const Place place{.tensor = &tensor,
                    .at = carver_.used(),
                    .panel_stride = alternates ? 2 * bytes : bytes,
                    .group_rows = stack.rows,
                    .alternates = alternates};
  carver_.take<uint8_t>(saturating_mul(bytes, place.panels()));
  take(tensor, place);
}

void Weights::add_transposed(const Tensor& tensor) {
  if (places_.contains(tensor.name)) return;
  const int64_t at = carver_.used();
  carver_.take<float>(tensor.elements());
  take(tensor, {.tensor = &tensor, .at = at, .transposed = true});
}

void Weights::add_pair(const Tensor& a, const Tensor& b) {
  if (alternate(a, b)) return;
  add_matrix(a);
  add_matrix(b);
}

void Weights::add_stacks(const ExpertStack& a, const ExpertStack& b) {
  if (a.rows == b.rows && alternate(a.weight, b.weight, a.rows)) {
    add_vector(a.bias);
    add_vector(b.bias);
    return;
  }
  const bool one_tensor = a.weight.name == b.weight.name;
  add_stack(a, one_tensor && a.first == 0 && b.first == a.rows && a.stride == 2 * a.rows);
  add_stack(b);
}

bool Weights::alternate(const Tensor& a, const Tensor& b, int64_t group_rows) {
  const bool alike = a.format == b.format && a.rows == b.rows && a.columns == b.columns;
  const bool fresh = a.name != b.name && !places_.contains(a.name) && !places_.contains(b.name);
  const bool in_file = lives_ == Lives::in_file || left_.contains(a.name) || left_.contains(b.name);
  if (!alike || !fresh || in_file || !has_panels(a.format)) return false;
  const int64_t bytes = panel_bytes(a.format, a.columns);
  Place place{
      .tensor = &a, .at = carver_.used(), .panel_stride = 2 * bytes, .group_rows = group_rows};
  carver_.take<uint8_t>(saturating_mul(place.panel_stride, place.panels()));
  take(a, place);
  place.tensor = &b;
  place.at += bytes;
  take(b, place);
  return true;
}

void Weights::leave_in_file(const Tensor& tensor) {
  if (places_.contains(tensor.name)) return;
  take(tensor, {&tensor, -1, tensor.row_bytes() * kPanelRows});
  file_bytes_ = saturating_add(file_bytes_, tensor.bytes());
}

void Weights::add_vector(const Tensor& tensor) {
  if (!tensor || places_.contains(tensor.name)) return;
  const int64_t at = carver_.used();
  carver_.take<float>(saturating_mul(padded_columns(tensor), tensor.rows));
  take(tensor, {&tensor, at, 0});
}

void Weights::load(ThreadPool& pool, const KernelSet& kernels, const CompileOptions& options) {
  for (const FormatKernel& f : kernels.formats) kernels_[f.format] = f;
  generic_ = kernels.generic;
  memory_ = AnonymousMemory(bytes());
  for (const Key key : order_) {
    const Place& place = places_.at(key);
    if (place.at < 0) continue;
    if (place.panel_stride == 0)
      decode(place, options);
    else
      pool.run([&](int64_t thread, int64_t n_threads) {
        const int64_t n = place.panels();
        pack(place, n * thread / n_threads, n * (thread + 1) / n_threads, options);
      });
  }
}

// Values as f32: rows of whole panels one after another, or turned over.
void Weights::decode(const Place& place, const CompileOptions& options) {
  const Tensor& tensor = *place.tensor;
  auto* to = reinterpret_cast<float*>(memory_.data() + place.at);
  const int64_t stride = padded_columns(tensor);
  std::vector<float> row(static_cast<size_t>(tensor.columns));
  for (int64_t r = 0; r < tensor.rows; ++r) {
    format_info(tensor.format)
        .decode(tensor.data.data() + r * tensor.row_bytes(), row.data(), tensor.columns);
    for (int64_t c = 0; c < tensor.columns; ++c)
      to[place.transposed ? c * tensor.rows + r : r * stride + c] = row[static_cast<size_t>(c)];
  }
  options.release_weights(tensor.data);
}

void Weights::pack_decoded(const Place& place, int64_t row, int64_t n, uint8_t* panel) const {
  const Tensor& tensor = *place.tensor;
  std::vector<float> rows(static_cast<size_t>(n * tensor.columns));
  format_info(tensor.format)
      .decode(tensor.data.data() + row * tensor.row_bytes(), rows.data(), n * tensor.columns);
  for (float& value : rows) value *= place.factor;
  pack_panel(Format::f32, reinterpret_cast<const uint8_t*>(rows.data()), n, tensor.columns, panel);
}

// Panels [begin, end), a piece at a time: large enough that asking for the file's pages and giving
// them back costs little, small enough not to be noticed beside the weights.
void Weights::pack(const Place& place, int64_t begin, int64_t end, const CompileOptions& options) {
  constexpr int64_t kPieceBytes = int64_t{2} << 20;
  const Tensor& tensor = *place.tensor;
  const int64_t piece = std::max(kPieceBytes / (tensor.row_bytes() * kPanelRows), int64_t{1});
  const auto row_of = [&](int64_t panel) {
    const int64_t group = panel / place.group_panels(), in_group = panel % place.group_panels();
    return group * place.rows() + std::min(in_group * kPanelRows, place.rows());
  };
  for (; begin < end; begin += piece) {
    const int64_t next = std::min(begin + piece, end);
    const auto first = static_cast<size_t>(row_of(begin) * tensor.row_bytes());
    const auto rows = tensor.data.subspan(
        first,
        static_cast<size_t>(std::min(row_of(next), tensor.rows) * tensor.row_bytes()) - first);
    map_pages(rows);
    for (int64_t p = begin; p < next; ++p) {
      const int64_t row = row_of(p), left = place.rows() - p % place.group_panels() * kPanelRows;
      uint8_t* panel = memory_.data() + place.at + place.offset(p);
      if (place.decoded)
        pack_decoded(place, row, std::min(kPanelRows, left), panel);
      else
        pack_panel(tensor.format, tensor.data.data() + row * tensor.row_bytes(),
                   std::min(kPanelRows, left), tensor.columns, panel);
    }
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

Matrix Weights::router(const Tensor& weight, const Tensor& bias) const {
  Tensor decoded = weight;
  decoded.format = Format::f32;
  return matrix(decoded, bias);
}

ExpertMatrices Weights::experts(const ExpertStack& stack) const {
  const Place& place = places_.at(stack.weight.name);
  ExpertMatrices all{matrix(stack.weight, stack.bias)};
  const auto bytes = [&](int64_t rows) {
    return place.at < 0 ? rows * stack.weight.row_bytes()
                        : place.offset(rows / stack.rows * place.group_panels());
  };
  all.first.rows = stack.rows;
  all.first.data += bytes(stack.first);
  all.stride = bytes(stack.stride);
  all.bias_stride = stack.bias ? padded_columns(stack.bias) : 0;
  return all;
}

const float* Weights::vector(const Tensor& tensor) const {
  if (!tensor) return nullptr;
  return reinterpret_cast<const float*>(data(places_.at(tensor.name)));
}

}  // namespace plumb::cpu
