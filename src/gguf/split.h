#pragma once
// The names of the files of a split model: PREFIX-00001-of-00003.gguf, and so on.

#include <cstdint>
#include <filesystem>
#include <vector>

namespace plumb::gguf {

// The files of a model whose header says that `opened` is part `number` (from 0) of n_parts.
// Errors: it is not the first; its name is not one of a first part.
std::vector<std::filesystem::path> split_paths(const std::filesystem::path& opened, int64_t number,
                                               int64_t n_parts);

}  // namespace plumb::gguf
