#pragma once
// A batch as the steps of the CPU backend see it: copied, its tokens grouped by sequence, its
// positions turned into rotations. All arrays are sized for the largest batch once.

#include <cstdint>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/kernels.h"

namespace plumb::cpu {

// The angles of one distinct Rope of the plan.
struct RotationTable {
  Rope rope;                          // as the plan has it
  std::vector<double> frequencies;    // [n_dims/2] of each pair: angle = position * frequency
  std::vector<float> cosines, sines;  // [max_batch, n_dims] see Rotation

  Rotation of(int64_t token, int64_t head_dim) const {
    const int64_t at = token * rope.n_dims;
    return {cosines.data() + at, sines.data() + at, rope.n_dims, head_dim,
            rope.layout == RopeLayout::interleaved};
  }
};

class BatchState {
 public:
  explicit BatchState(const Plan& plan);

  void set(const Batch& batch);

  int64_t size() const { return static_cast<int64_t>(tokens.size()); }
  int64_t n_logits() const { return static_cast<int64_t>(logits_rows.size()); }

  std::vector<int32_t> tokens, positions, slots;  // [size]
  std::vector<int32_t> logits_rows;               // tokens whose logits are wanted
  // Tokens by sequence: those of one sequence one after another in rising position.
  std::vector<int32_t> order;  // [size] indices of tokens
  struct Group {
    int64_t first, n;  // in order
    int32_t slot;
  };
  std::vector<Group> groups;

  // The table for a Rope; made in the constructor for every one of the plan.
  size_t rotation_index(const Rope& rope) const;
  std::vector<RotationTable> rotations;

 private:
  void group_by_slot();
  void fill(RotationTable& table) const;

  std::vector<int32_t> last_of_slot_;  // [n_sequences] scratch, -1 between calls
  std::vector<int32_t> next_;          // [max_batch] the slot's next token or -1
};

// Bytes that the rotation tables of a plan take.
int64_t rotation_bytes(const Plan& plan);

}  // namespace plumb::cpu
