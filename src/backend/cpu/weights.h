#pragma once
// The weights of a plan as the kernels read them: matrices in panels (or still in the file, where
// that was asked for, the format has no panels or the matrix is only looked up by row), vectors as
// f32. Every tensor is kept once, whatever the number of steps that use it.

#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/carver.h"
#include "backend/cpu/kernels.h"
#include "base/memory.h"
#include "base/thread_pool.h"

namespace plumb::cpu {

class Weights {
 public:
  // Only counts and places. Matrices live in panels or, all of them, in the file.
  Weights(const Plan& plan, Lives lives);

  int64_t bytes() const { return carver_.used(); }    // that load() will take
  int64_t file_bytes() const { return file_bytes_; }  // that stay in the file
  // Work space that every thread needs to pack panels of those.
  int64_t packed_bytes() const { return packed_bytes_; }

  // Packs tensor by tensor on all threads and gives the file's pages back behind them.
  void load(ThreadPool& pool, const KernelSet& kernels, const CompileOptions& options);

  // After load.
  Matrix matrix(const Tensor& weight, const Tensor& bias) const;
  const float* vector(const Tensor& tensor) const;  // null for an empty tensor

 private:
  // A tensor's place in memory_, or in the file (at < 0).
  struct Place {
    const Tensor* tensor;
    int64_t at = -1;
    int64_t panel_stride = 0;  // as in Matrix; 0: a vector
  };
  using Key = std::string_view;  // the tensor's name

  void add(const Project& step);
  void add(const Attend& step);
  void add(const ProjectAdd& step);
  void add(const AddBranches& step);
  void add(const EmbedSlices& step);
  void add(const GateBy& step);
  void add(const GateUp& step);
  void add(const Head& step);
  void add(const auto&) {}  // steps without weights
  void add_matrix(const Tensor& tensor);
  void add_pair(const Tensor& a, const Tensor& b);
  void add_vector(const Tensor& tensor);
  void leave_in_file(const Tensor& tensor);
  void take(const Tensor& tensor, Place place);
  void decode(const Place& place, const CompileOptions& options);
  void pack(const Place& place, int64_t begin, int64_t end, const CompileOptions& options);
  const uint8_t* data(const Place& place) const;

  Lives lives_;
  Carver carver_;
  int64_t file_bytes_ = 0, packed_bytes_ = 0;
  std::map<Key, Place> places_;
  std::vector<Key> order_;  // as added, which is the order of use
  AnonymousMemory memory_;
  std::map<Format, FormatKernel> kernels_;
  Multiply generic_ = nullptr;
};

}  // namespace plumb::cpu
