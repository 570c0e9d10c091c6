#pragma once
// Which source this program was built from.

#include "measure/bench_record.h"

namespace plumb {

// commit "unknown" outside a git checkout, "...-dirty" where files differ from it
BuildInfo build_info();

}  // namespace plumb
