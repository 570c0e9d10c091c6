#pragma once
// The reference backend: every step of a plan in plain scalar C++, f32 values with f64 sums,
// weights decoded row by row from the file. Slow, short and right; the oracle that every other
// backend is held against.

#include <memory>

#include "backend/backend.h"

namespace plumb {

std::unique_ptr<Backend> make_reference_backend();

}  // namespace plumb
