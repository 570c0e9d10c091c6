#include "backend/reference/reference.h"

#include "backend/reference/executable.h"

namespace plumb {
namespace {

class ReferenceBackend final : public Backend {
 public:
  std::string name() const override { return "reference"; }

  Memory memory(const Plan& plan) const override {
    return {.weights = weight_bytes(plan),
            .kv = cache_bytes(plan),
            .state = state_bytes(plan),
            .scratch = reference::ReferenceExecutable::scratch_bytes(plan)};
  }

  std::unique_ptr<Executable> compile(const Plan& plan, const CompileOptions&) override {
    return std::make_unique<reference::ReferenceExecutable>(plan);
  }

  std::vector<std::pair<std::string, std::string>> describe() const override {
    return {{"kernels", "scalar f32 with f64 sums, one thread"}};
  }
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() {
  return std::make_unique<ReferenceBackend>();
}

}  // namespace plumb
