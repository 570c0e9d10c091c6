#include "base/error.h"

#include <cstdio>
#include <cstdlib>

namespace plumb {

void check_failed(const char* file, int line, const char* condition, const std::string& values) {
  std::fprintf(stderr, "plumb: broken invariant at %s:%d: %s (%s)\n", file, line, condition,
               values.c_str());
  std::abort();
}

}  // namespace plumb
