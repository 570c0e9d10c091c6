#pragma once
// Which source this program was built from.

#include "measure/bench_record.h"

namespace plumb {

BuildInfo build_info();  // commit "unknown" outside a git checkout

}  // namespace plumb
