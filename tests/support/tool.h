#pragma once
// main() of a tool: what goes wrong is one line on standard error and exit code 2.

#include <cstdio>
#include <exception>

namespace plumb::test {

template <typename Run>
int tool_main(const char* name, Run run) {
  try {
    run();
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", name, e.what());
    return 2;
  }
}

}  // namespace plumb::test
