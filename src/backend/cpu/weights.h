#pragma once
// The weights of a plan as the kernels read them: matrices in panels (or still in the file, where
// that was asked for, the format has no panels or the matrix is only looked up by row), vectors as
// f32. Every tensor is kept once, whatever the number of steps that use it.

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/carver.h"
#include "backend/cpu/kernels.h"
#include "base/memory.h"
#include "base/thread_pool.h"

namespace plumb::cpu {

// One matrix of every expert.
struct ExpertMatrices {
  Matrix first;
  int64_t stride = 0, bias_stride = 0;  // bytes, floats

  Matrix of(int32_t expert) const {
    Matrix matrix = first;
    matrix.data += expert * stride;
    if (matrix.bias) matrix.bias += expert * bias_stride;
    return matrix;
  }
};

class Weights {
 public:
  // Only counts and places. Matrices live in panels or, all of them, in the file. Experts that do
  // not fit into `room` bytes stay in the file too, those of the last layers first.
  Weights(const Plan& plan, Lives lives, int64_t room = INT64_MAX);

  int64_t bytes() const { return carver_.used(); }    // that load() will take
  int64_t file_bytes() const { return file_bytes_; }  // that stay in the file
  int64_t expert_file_bytes() const;                  // of those, experts that did not fit
  // Work space that every thread needs to pack panels of those.
  int64_t packed_bytes() const { return packed_bytes_; }

  // Packs tensor by tensor on all threads and gives the file's pages back behind them.
  void load(ThreadPool& pool, const KernelSet& kernels, const CompileOptions& options);

  // After load.
  Matrix matrix(const Tensor& weight, const Tensor& bias) const;
  Matrix router(const Tensor& weight, const Tensor& bias) const;  // kept as f32, scaled
  ExpertMatrices experts(const ExpertStack& stack) const;
  const float* vector(const Tensor& tensor) const;  // null for an empty tensor

 private:
  // A tensor's place in memory_, or in the file (at < 0).
  struct Place {
    const Tensor* tensor;
    int64_t at = -1;
    int64_t panel_stride = 0;  // as in Matrix; 0: values, see below
    int64_t group_rows = 0;    // rows that fill whole panels of their own; 0: all
    bool decoded = false;      // panels of f32, times `factor`
    float factor = 1;
    bool transposed = false;  // values: [columns][rows] instead of rows of whole panels
    bool alternates = false;  // panels of groups 0 and 1, of 2 and 3 and so on alternate

    int64_t rows() const { return group_rows ? group_rows : tensor->rows; }
    int64_t panels() const { return tensor->rows / rows() * group_panels(); }
    int64_t group_panels() const { return (rows() + kPanelRows - 1) / kPanelRows; }
    // Bytes from the first panel to panel p.
    int64_t offset(int64_t p) const {
      if (!alternates) return p * panel_stride;
      const int64_t n = group_panels(), group = p / n;
      return (group / 2 * n + p % n) * panel_stride + group % 2 * (panel_stride / 2);
    }
  };
  using Key = std::string_view;  // the tensor's name

  void add_all(const Plan& plan);
  void leave_experts(const Plan& plan, int64_t bytes);
  void add(const Project& step);
  void add(const Attend& step);
  void add(const ProjectAdd& step);
  void add(const AddBranches& step);
  void add(const EmbedSlices& step);
  void add(const GateBy& step);
  void add(const GateUp& step);
  void add(const Head& step);
  void add(const DeltaRule& step);
  void add(const Route& step);
  void add(const ExpertGateUp& step);
  void add(const ExpertDownAdd& step);
  void add(const auto&) {}  // steps without weights
  void add_matrix(const Tensor& tensor);
  void add_router(const Tensor& tensor, float factor);
  void add_stack(const ExpertStack& stack, bool alternates = false);
  void add_transposed(const Tensor& tensor);
  void add_pair(const Tensor& a, const Tensor& b);
  void add_stacks(const ExpertStack& a, const ExpertStack& b);
  // Two matrices of one shape and format that are read together get panels that alternate, so that
  // the memory is one stream. False: they cannot, and have no place yet.
  bool alternate(const Tensor& a, const Tensor& b, int64_t group_rows = 0);
  void add_vector(const Tensor& tensor);
  void leave_in_file(const Tensor& tensor);
  void take(const Tensor& tensor, Place place);
  void decode(const Place& place, const CompileOptions& options);
  void pack_decoded(const Place& place, int64_t row, int64_t n, uint8_t* panel) const;
  void pack(const Place& place, int64_t begin, int64_t end, const CompileOptions& options);
  const uint8_t* data(const Place& place) const;

  Lives lives_;
  std::set<Key> left_;  // experts that did not fit
  Carver carver_;
  int64_t file_bytes_ = 0, packed_bytes_ = 0;
  std::map<Key, Place> places_;
  std::vector<Key> order_;  // as added, which is the order of use
  AnonymousMemory memory_;
  std::map<Format, FormatKernel> kernels_;
  Multiply generic_ = nullptr;
};

}  // namespace plumb::cpu
