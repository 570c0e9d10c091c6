#pragma once
// Instruction sets in the names of tests, where hyphens may not stand.

#include <algorithm>
#include <string>
#include <string_view>

namespace plumb::test {

inline std::string set_name(std::string_view set) {
  std::string name(set);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace plumb::test
