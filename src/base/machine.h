#pragma once
// What this process may use of the machine: processors and memory, as the system and the control
// groups (containers) around it allow. Linux tells it in files, which are read below `root` (tests
// bring their own); where a file is missing, as on other systems, the answer is what the C++ and
// POSIX libraries know.

#include <cstdint>
#include <filesystem>

namespace plumb {

// Logical processors this process may run on.
int usable_processors(const std::filesystem::path& root = "/");

// How many threads to compute with: physical cores this process may run on, hyper-threads counted
// once, slow cores of a mixed machine left out, and no more than the control groups' processor
// quota. At least 1.
int default_threads(const std::filesystem::path& root = "/");

// Memory that can be taken without swapping: what the kernel calls available, or less where a
// control group limits it.
int64_t available_memory_bytes(const std::filesystem::path& root = "/");

}  // namespace plumb
