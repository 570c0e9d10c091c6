#pragma once
// Rows that matrices read, and what has to be done to them first.

#include <cstdint>

#include "backend/cpu/run_state.h"

namespace plumb::cpu {

struct Input {
  float* from;  // [n, columns]
  int64_t columns;
  const float* norm = nullptr;  // [columns] weight of an RMS norm, or null
  float eps = 0;
  bool codes = false;    // some matrix reads the quantised form
  bool halves = false;   // and sums of 16 columns of it
  bool rounded = false;  // some matrix reads the form rounded to bfloat16
  bool plain = false;    // some matrix reads the values

  void ask_for(const Matrix& matrix);
  // Rows row_of[0..n) of `from` (row_of null: 0..n). All threads call it. What a step prepares
  // secondly has a space of its own.
  Activations prepare(const Worker& w, int64_t n, const int32_t* row_of = nullptr,
                      bool second = false) const;
  // Prepared rows row_of[0..n) one after another, in `to`.
  Activations gather(const Activations& x, const int32_t* row_of, int64_t n, Activations to) const;
};

}  // namespace plumb::cpu
