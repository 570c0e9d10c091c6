#pragma once
// What plumb does with a model file, stage by stage, for input that cannot be
// trusted. Used by the generator's test and by the fuzzer.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gguf/gguf.h"

namespace plumb::test {

struct Stage {
  const char* name;
  bool needs_weights;
  void (*run)(const gguf::File& file);
};

// Each works on a file that was opened, and on nothing that another stage made.
std::span<const Stage> stages();

}  // namespace plumb::test
