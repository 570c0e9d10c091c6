#pragma once
// Instruction sets as parameters and in the names of tests, where hyphens may not stand.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "backend/cpu/instruction_set.h"
#include "backend/cpu/kernels.h"
#include "support/slow.h"

namespace plumb::test {

inline std::string set_name(std::string_view set) {
  std::string name(set);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// Those that this machine has. Threads share the work alike with all of them: the thread sanitizer
// looks at the best one.
inline std::vector<std::string> set_names() {
  std::vector<std::string> names;
  for (const auto* kernels : cpu::available_kernels()) names.emplace_back(kernels->name);
  if (kThreadSanitizer) names.resize(1);
  return names;
}

}  // namespace plumb::test
