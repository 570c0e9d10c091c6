#pragma once
// What recurrent layers remember of each sequence. A state cannot be cut back to an earlier
// position as a cache can, so some earlier ones are kept: at page boundaries of a batch, and where
// a batch of many tokens begins, which is where turns of a chat end. Each sequence has room for
// PlanOptions::n_snapshots of them; those kept lie closer together towards its end. Shared by all
// backends; what the values of a layer mean is theirs. Without recurrent layers it does nothing.

#include <cstdint>
#include <vector>

#include "backend/backend.h"
#include "base/memory.h"

namespace plumb {

class RecurrentStates {
 public:
  explicit RecurrentStates(const Plan& plan);

  // Before a batch that continues sequences of these lengths (checked by Sequences). Steady state
  // allocates nothing.
  void begin(const Batch& batch);
  // Whether the batch that was begun can be given up: every state before it is kept, or empty.
  bool can_give_up() const { return can_give_up_; }
  void give_back();

  // The values of a layer, as they are now: its state, then its chunk (StateLayout), all zero for a
  // new sequence.
  float* layer(int slot, int layer) const { return at(slot, layer); }
  // Where a layer's state of n positions of a sequence is to be put, or null. Layers ask at every
  // multiple of kPagePositions within a batch, where no chunk is open.
  float* kept(int slot, int64_t n_positions, int layer) const;

  // The largest number of positions, at most n, at which the sequence (of that length) can go on;
  // it does so from there. What is kept of later positions is forgotten.
  int64_t truncate(int slot, int64_t length, int64_t n_positions);
  // The same for `to`, which becomes a copy of that much of `from`.
  int64_t copy_prefix(int from, int64_t length, int to, int64_t n_positions);

 private:
  struct Kept {
    int64_t position;
    int32_t place;
  };
  struct Sequence {
    std::vector<Kept> kept;       // by rising position
    std::vector<int32_t> free;    // places
    int64_t begun = 0, ends = 0;  // positions of the batch; ends 0: not in it
  };
  void plan_batch(Sequence& sequence, int32_t slot);
  bool make_room(Sequence& sequence, int64_t keep) const;
  static void drop_after(Sequence& sequence, int64_t n_positions);
  const Kept* latest(const Sequence& sequence, int64_t n_positions) const;
  void copy(int32_t from, int32_t to) const;  // from -1: zeros
  float* at(int32_t place, int layer) const;

  int64_t n_snapshots_, state_bytes_ = 0;
  std::vector<int64_t> offsets_;  // [layers] in values
  std::vector<Sequence> sequences_;
  AnonymousMemory memory_;  // [places][layers]; the first places are the sequences' own
  bool can_give_up_ = true;
};

}  // namespace plumb
