#pragma once
// What the processor says of itself: its name, caches and clock, as Linux tells them in files below
// `root` (tests bring their own); other systems answer less.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace plumb {

// "AMD Ryzen 9 9950X", or what else is known; never empty.
std::string processor_name(const std::filesystem::path& root = "/");

struct Cache {
  int level;         // 1, 2, 3
  std::string type;  // "Data", "Instruction", "Unified"
  int64_t bytes;
  int shared_by;  // logical processors
};
// Of the first processor, as the system lists them; empty where it does not tell.
std::vector<Cache> processor_caches(const std::filesystem::path& root = "/");

// The clock just now in MHz, the mean over the processors; none where it cannot be read.
std::optional<double> processor_mhz(const std::filesystem::path& root = "/");

}  // namespace plumb
