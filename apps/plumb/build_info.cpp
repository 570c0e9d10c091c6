#include "build_info.h"

#include "build_commit.h"  // made by cmake/build_info.cmake

namespace plumb {

BuildInfo build_info() {
  return {PLUMB_BUILD_COMMIT, PLUMB_BUILD_NUMBER};
}

}  // namespace plumb
