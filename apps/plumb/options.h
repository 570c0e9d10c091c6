#pragma once
// Options that several commands share, each spelled and described once.

#include <optional>
#include <string>
#include <vector>

#include "arguments.h"
#include "generate/engine.h"
#include "generate/sampler.h"

namespace plumb {

// Where an input text comes from: -p or -f.
struct TextOptions {
  std::optional<std::string> text, file;

  void attach(Arguments& arguments);
  bool given() const { return text || file; }
  // The bytes, exactly. Error: none or both, a file that cannot be read. `command` is named in it.
  std::string read(std::string_view command) const;
};

inline constexpr int64_t kMostThreads = 1024;  // that -t takes

// Numbers and ranges of them ("1,2,4-8"), put behind one another where the option is repeated.
void attach_list(Arguments& arguments, std::string_view names, std::vector<int64_t>& values,
                 int64_t min, int64_t max, std::string_view help);

// Error names the option: no such format.
Format parse_cache_format(std::string_view option, const std::string& word);

struct ModelOptions {
  std::string model;
  EngineOptions engine;
  int64_t batch = 2048;  // -b; -ub is engine.plan.max_batch

  void attach_model(Arguments& arguments);        // -m
  void attach_context(Arguments& arguments);      // -c, -b, -ub
  void attach_cache(Arguments& arguments);        // -ctk, -ctv
  void attach_checkpoints(Arguments& arguments);  // -ctxcp
  void attach_backend(Arguments& arguments);      // --backend
  void attach_threads(Arguments& arguments);      // -t, --cpu, --no-repack
  void attach(Arguments& arguments);              // all of them

  std::filesystem::path path() const;  // the file that -m means, see model_folder.h
  // As given, the batch no larger than -b.
  EngineOptions engine_options() const;
  // The threads that work: what -t says, but no more than there are processors for.
  int threads() const;
};

struct SamplingOptions {
  bool ignore_eos = false;
  int64_t max_tokens = -1;
  std::vector<std::string> stop;

  void attach(Arguments& arguments);
  // What the user said; where that is nothing what the file recommends (general.sampling.*), else
  // the defaults; a random seed where none was given.
  SamplerOptions sampler(const gguf::Metadata& metadata) const;
  // Error: out of range, as far as can be told without a model.
  void check() const;

 private:
  std::optional<float> temperature_, top_p_, min_p_, repeat_penalty_;
  std::optional<int32_t> top_k_, repeat_last_n_;
  std::optional<uint64_t> seed_;
  SamplerOptions others_;
};

}  // namespace plumb
