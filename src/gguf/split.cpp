#include "gguf/split.h"

#include "base/error.h"
#include "base/text.h"

namespace plumb::gguf {
namespace {

std::string part_suffix(int64_t number, int64_t n_parts) {
  return fmt::format("-{:05}-of-{:05}.gguf", number + 1, n_parts);
}

}  // namespace

std::vector<std::filesystem::path> split_paths(const std::filesystem::path& opened, int64_t number,
                                               int64_t n_parts) {
  const std::string name = opened.filename().string(), suffix = part_suffix(number, n_parts);
  if (!name.ends_with(suffix))
    fail("[gguf] {}: part {} of a split model: expected a name that ends in {}, got {}",
         opened.string(), number + 1, suffix, plumb::quoted(name));
  const std::string prefix = name.substr(0, name.size() - suffix.size());
  const auto path_of = [&](int64_t part) {
    return opened.parent_path() / (prefix + part_suffix(part, n_parts));
  };
  if (number != 0)
    fail(
        "[gguf] {}: a part of a split model: expected to open its first part, {}, got part {} of "
        "{}",
        opened.string(), path_of(0).string(), number + 1, n_parts);
  std::vector<std::filesystem::path> paths;
  for (int64_t i = 0; i < n_parts; ++i) paths.push_back(path_of(i));
  return paths;
}

}  // namespace plumb::gguf
