// The backends by name.

#include <algorithm>

#include "backend/cpu/cpu.h"
#include "backend/reference/reference.h"
#include "base/error.h"
#include "base/machine.h"
#include "base/text.h"
#include "generate/engine.h"

namespace plumb {
namespace {

struct NamedBackend {
  std::string_view name;
  std::unique_ptr<Backend> (*make)(const BackendOptions&);
};
// More threads than processors would only take turns with each other. 0: as many as help.
int threads_that_run(int asked) {
  return std::min(asked, usable_processors());
}

// "auto" is the first.
constexpr NamedBackend kBackends[] = {
    {"cpu",
     [](const BackendOptions& o) {
       return make_cpu_backend(threads_that_run(o.n_threads), o.cpu, !o.no_repack, o.room);
     }},
    {"reference",
     [](const BackendOptions& o) {
       // What would change nothing is not taken in silence: it would stand in results.
       if (!o.cpu.empty()) fail("--cpu: expected the cpu backend, got reference");
       if (o.no_repack) fail("--no-repack: expected the cpu backend, got reference");
       return make_reference_backend();
     }},
};

}  // namespace

std::vector<std::string> backend_names() {
  std::vector<std::string> names{"auto"};
  for (const NamedBackend& b : kBackends) names.emplace_back(b.name);
  return names;
}

std::unique_ptr<Backend> make_backend(const BackendOptions& options) {
  for (const NamedBackend& b : kBackends)
    if (options.name == b.name || options.name == "auto") return b.make(options);
  std::string known;
  for (const std::string& name : backend_names()) known += (known.empty() ? "" : ", ") + name;
  fail("--backend: expected one of {}, got {}", known, plumb::quoted(options.name));
}

}  // namespace plumb
