#pragma once
// Which kernels this machine can run.

#include <string_view>
#include <vector>

#include "backend/cpu/kernels.h"

namespace plumb::cpu {

// The sets built into the program that this machine has, best first; "scalar" is always there.
std::vector<const KernelSet*> available_kernels();

// By name, or the best for "". Error: an unknown name (with the known ones), a set that the machine
// lacks.
const KernelSet& choose_kernels(std::string_view name);

}  // namespace plumb::cpu
