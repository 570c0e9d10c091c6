#include "build_info.h"

namespace plumb {

BuildInfo build_info() {
  return {PLUMB_BUILD_COMMIT, PLUMB_BUILD_NUMBER};
}

}  // namespace plumb
