#include "gguf/split.h"

#include "base/error.h"

namespace plumb::gguf {
namespace {

std::string part_suffix(int64_t number, int64_t n_parts) {
  return fmt::format("-{:05}-of-{:05}.gguf", number + 1, n_parts);
}

}  // namespace

std::vector<std::filesystem::path> split_paths(const std::filesystem::path& opened, int64_t number,
                                               int64_t n_parts) {
  std::string name = opened.filename().string();
  const std::string suffix = part_suffix(number, n_parts);
  const bool regular = name.ends_with(suffix);
  if (regular) name.resize(name.size() - suffix.size());
  const std::string first = (regular ? name : "...") + part_suffix(0, n_parts);
  if (number != 0 || !regular)
    fail("[gguf] {}: a split model: expected its first part, a file named {}, got part {} of {}",
         opened.string(), first, number + 1, n_parts);
  std::vector<std::filesystem::path> paths;
  for (int64_t i = 0; i < n_parts; ++i)
    paths.push_back(opened.parent_path() / (name + part_suffix(i, n_parts)));
  return paths;
}

}  // namespace plumb::gguf
