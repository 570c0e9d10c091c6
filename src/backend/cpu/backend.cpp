// Chooses kernels and threads, and says what it chose.

#include <fmt/format.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/executable.h"
#include "backend/cpu/instruction_set.h"
#include "base/machine.h"

namespace plumb {
namespace cpu {
namespace {

class CpuBackend final : public Backend {
 public:
  CpuBackend(int n_threads, const KernelSet& kernels, Lives lives, int64_t room)
      : kernels_(kernels),
        pool_(std::make_shared<ThreadPool>(n_threads)),
        lives_(lives),
        room_(room) {}

  std::string name() const override { return "cpu"; }

  Memory memory(const Plan& plan) const override {
    return CpuExecutable::memory(plan, lives_, pool_->size(), room_);
  }

  std::unique_ptr<Executable> compile(const Plan& plan, const CompileOptions& options) override {
    return std::make_unique<CpuExecutable>(plan, kernels_, pool_, lives_, room_, options);
  }

  std::vector<std::pair<std::string, std::string>> describe() const override {
    std::vector<std::pair<std::string, std::string>> lines;
    lines.emplace_back("instruction set", kernels_.name);
    lines.emplace_back("threads", std::to_string(pool_->size()));
    for (const FormatInfo& info : all_formats())
      if (info.decode) lines.emplace_back(info.name, kernel_label(info.format));
    return lines;
  }

 private:
  std::string kernel_label(Format format) const {
    for (const FormatKernel& f : kernels_.formats)
      if (f.format == format) return ::fmt::format("panel {} {}", kPanelRows, f.label);
    return "generic (decoded to f32 for every use)";
  }

  const KernelSet& kernels_;
  std::shared_ptr<ThreadPool> pool_;
  Lives lives_;
  int64_t room_;
};

}  // namespace
}  // namespace cpu

std::unique_ptr<Backend> make_cpu_backend(int n_threads, std::string_view instruction_set,
                                          bool repack, int64_t room) {
  return std::make_unique<cpu::CpuBackend>(n_threads > 0 ? n_threads : default_threads(),
                                           cpu::choose_kernels(instruction_set),
                                           repack ? cpu::Lives::in_panels : cpu::Lives::in_file,
                                           room > 0 ? room : available_memory_bytes());
}

}  // namespace plumb
