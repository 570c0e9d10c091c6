#pragma once
// What a step reads, writes and computes, from its operands alone.

#include "plan/plan.h"

namespace plumb {

Cost cost_of(const Plan& plan, const Step& step);

}  // namespace plumb
