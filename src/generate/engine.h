#pragma once
// A model ready to run: file, description, plan and executable together, opened by path. What every
// command and (later) the server starts from.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "gguf/gguf.h"
#include "text/tokenizer.h"

namespace plumb {

struct BackendOptions {
  std::string name = "auto";  // auto, cpu, reference
  int n_threads = 0;          // 0: as many as help
  std::string cpu =
      "";            // force an instruction set ("avx2", "scalar"); "": the best the machine has
  int64_t room = 0;  // cpu: bytes that a model may take before experts stay in its file; 0: what
                     // is available
  bool no_repack = false;  // cpu: matrices are read in the mapped file instead of copied
};
std::vector<std::string> backend_names();
// Error: an unknown name (with the known ones), an instruction set that the machine lacks, options
// of the cpu backend for another.
std::unique_ptr<Backend> make_backend(const BackendOptions& options);

// n_positions of the options below, beside a plain number: 0 is the model's context, at most
// kDefaultContext; kWholeContext all of it.
inline constexpr int64_t kDefaultContext = 8192;
inline constexpr int64_t kWholeContext = -1;

struct EngineOptions {
  BackendOptions backend;
  PlanOptions plan;
};
// The plan's options with those filled in, and batches no larger than the context.
PlanOptions with_defaults(PlanOptions options, const ModelDesc& model);

// Error names the file: what it would take, what there is, and what would need less.
void require_memory(const std::filesystem::path& file, const Memory& memory, int64_t n_positions,
                    std::string_view hint = "a smaller -c or -ub needs less");

class Engine {
 public:
  // Error: what the stages throw, or memory: needed, available.
  Engine(const std::filesystem::path& path, const EngineOptions& options);

  const gguf::File& file() const { return file_; }
  const ModelDesc& model() const { return model_; }
  const Plan& plan() const { return plan_; }
  const Backend& backend() const { return *backend_; }
  const Memory& memory() const { return memory_; }
  Executable& executable() { return *executable_; }
  const Tokenizer& tokenizer() const;  // Error where the file has none

 private:
  gguf::File file_;
  ModelDesc model_;
  Plan plan_;
  std::unique_ptr<Backend> backend_;
  Memory memory_;
  std::unique_ptr<Tokenizer> tokenizer_;  // null: the file has no tokenizer
  std::unique_ptr<Executable> executable_;
};

}  // namespace plumb
