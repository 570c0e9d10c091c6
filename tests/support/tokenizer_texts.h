#pragma once
// Texts for comparing tokenizers with reference data: the same on every machine.

#include <string>
#include <vector>

namespace plumb::test {

// All well-formed but for the last kind.
struct TextSet {
  std::string name;
  std::vector<std::string> texts;
};
std::vector<TextSet> reference_texts();

}  // namespace plumb::test
