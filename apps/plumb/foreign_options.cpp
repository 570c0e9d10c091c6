#include "foreign_options.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "measure/bench_cases.h"
#include "output.h"

namespace plumb {
namespace {

enum class Others { ignored, refused };

struct ForeignOption {
  std::vector<std::string_view> names;
  std::string_view usual;  // values that ask for what plumb does anyway: "0,auto"
  Others others;           // what becomes of other values
  std::string_view reason;
  bool takes_value = true;
};

const std::vector<ForeignOption>& foreign_options() {
  using enum Others;
  constexpr std::string_view kNoGpu = "there is no GPU backend";
  constexpr std::string_view kLoading = "loading is not part of a test";
  static const std::vector<ForeignOption> all{
      {{"-ngl", "--n-gpu-layers"}, "0,-1", ignored, kNoGpu},
      {{"-ncmoe", "--n-cpu-moe"}, "0", ignored, kNoGpu},
      {{"-sm", "--split-mode"}, "none,layer", ignored, kNoGpu},
      {{"-mg", "--main-gpu"}, "0", ignored, kNoGpu},
      {{"-nkvo", "--no-kv-offload"}, "0,1", ignored, kNoGpu},
      {{"-ts", "--tensor-split"}, "0", ignored, kNoGpu},
      {{"-nopo", "--no-op-offload"}, "0,1", ignored, kNoGpu},
      {{"--no-host"}, "0,1", ignored, kNoGpu},
      {{"-fitt", "--fit-target"}, "0", ignored, kNoGpu},
      {{"-fitc", "--fit-ctx"}, "0", ignored, kNoGpu},
      {{"-dev", "--device"}, "auto,none,cpu,CPU", refused, kNoGpu},
      {{"-fa", "--flash-attn"}, "1,on,auto,-1", ignored, "attention is always fused"},
      {{"-mmp", "--mmap"}, "0,1", ignored, kLoading},
      {{"-dio", "--direct-io"}, "0,1", ignored, kLoading},
      {{"-lm", "--load-mode"}, "auto", ignored, kLoading},
      {{"-lzm", "--lazy-mode"}, "auto", ignored, kLoading},
      {{"--poll"}, "50", ignored, "threads spin for a fixed time"},
      {{"--prio"}, "0", refused, "use nice"},
      {{"--numa"}, "", refused, "use numactl"},
      {{"-C", "--cpu-mask"}, "0x0", refused, "use taskset"},
      {{"--cpu-strict"}, "0", refused, "use taskset"},
      {{"-embd", "--embeddings"}, "0", refused, "embeddings are not computed"},
      {{"-ot", "--override-tensor"}, "", refused, kNoGpu},
      {{"-rpc", "--rpc"}, "", refused, "everything runs on this machine"},
      {{"-hf", "-hfr", "--hf-repo"}, "", refused, "models are not downloaded; name a file with -m"},
      {{"-hff", "--hf-file"}, "", refused, "models are not downloaded; name a file with -m"},
      {{"-hft", "--hf-token"}, "", ignored, "models are not downloaded"},
      {{"--offline"}, "", ignored, "models are not downloaded", false},
      {{"--list-devices"}, "", refused, "see plumb info --machine", false},
  };
  return all;
}

const ForeignOption* find_foreign(std::string_view name) {
  for (const ForeignOption& o : foreign_options())
    if (std::ranges::find(o.names, name) != o.names.end()) return &o;
  return nullptr;
}

bool is_usual(const ForeignOption& option, std::string_view value) {
  const std::vector<std::string> usual = split_list(option.usual);
  return std::ranges::find(usual, value) != usual.end();
}

void judge(const ForeignOption& option, const std::string& name, const std::string& value) {
  if (option.takes_value ? is_usual(option, value) : option.others == Others::ignored) return;
  if (option.others == Others::ignored) return note("{}: changes nothing: {}", name, option.reason);
  if (!option.takes_value) fail("{}: not an option of plumb: {}", name, option.reason);
  fail("{}: expected {}, got {}: {}", name,
       option.usual.empty() ? "it not to be given" : option.usual, plumb::quoted(value),
       option.reason);
}

// llama-bench takes --n_prompt for --n-prompt.
std::string with_dashes(std::string word) {
  if (word.starts_with("--"))
    std::replace(word.begin(),
                 word.begin() + static_cast<int64_t>(std::min(word.find('='), word.size())), '_',
                 '-');
  return word;
}

}  // namespace

std::vector<std::string> without_foreign_options(const std::vector<std::string>& words) {
  std::vector<std::string> rest;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string word = with_dashes(words[i]);
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const ForeignOption* option = find_foreign(name);
    if (!option) {
      rest.push_back(word);
      continue;
    }
    std::string value;
    if (equals != std::string::npos)
      value = word.substr(equals + 1);
    else if (option->takes_value && i + 1 < words.size())
      value = words[++i];
    else if (option->takes_value)
      fail("{}: expected a value after it, got nothing", name);
    judge(*option, name, value);
  }
  return rest;
}

}  // namespace plumb
