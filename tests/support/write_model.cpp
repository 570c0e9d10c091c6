// plumb_write_model: random models with the shapes of published ones, or tiny.
//
//   plumb_write_model --list
//   plumb_write_model SHAPE OUT.gguf [--type T] [--tensor-type REGEX=T]... [--layers N] [--seed N]
//                     [--sparse]
//
// --type is the format of matrices (default F32); --tensor-type that of tensors whose names match a
// regular expression, the last one that matches. Rows that do not hold whole blocks become Q8_0 or
// F32. --sparse writes a hole in place of matrices: the whole header, no room on the disk; such a
// file is for `plumb plan` and `plumb info`. Without it all weights are made in memory: tiny
// shapes.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/machine.h"
#include "support/model_shapes.h"
#include "support/tool.h"

namespace plumb {
namespace {

Format format_named(std::string_view name) {
  for (const FormatInfo& info : all_formats())
    if (info.name == name && info.decode) return info.format;
  fail("{}: expected the name of a format, as Q4_K", name);
}

void list() {
  for (const test::ModelShape& s : test::model_shapes())
    std::printf("%-22s %-10s %lld layers, width %lld\n", s.name.c_str(), s.architecture.c_str(),
                static_cast<long long>(s.n_layers), static_cast<long long>(s.n_embd));
}

constexpr const char* kUsage =
    "plumb_write_model SHAPE OUT.gguf [--type FORMAT] [--tensor-type REGEX=FORMAT]... [--layers N] "
    "[--seed N] [--sparse], or --list";

struct Options {
  std::string shape, path;
  test::WeightTypes types;
  uint64_t seed = 1;
  int64_t n_layers = 0;  // 0: all
  bool sparse = false;
};

Options parse(const std::vector<std::string>& words) {
  Options options;
  for (size_t i = 0; i < words.size(); ++i) {
    const auto value = [&]() -> const std::string& {
      if (i + 1 == words.size()) fail("{}: expected a value", words[i]);
      return words[++i];
    };
    if (words[i] == "--sparse") {
      options.sparse = true;
    } else if (words[i] == "--seed") {
      options.seed = std::strtoull(value().c_str(), nullptr, 10);
    } else if (words[i] == "--layers") {
      const std::string& n = value();
      options.n_layers = std::strtoll(n.c_str(), nullptr, 10);
      if (options.n_layers < 1) fail("--layers: expected a number above 0, got {}", n);
    } else if (words[i] == "--type") {
      options.types.matrices = format_named(value());
    } else if (words[i] == "--tensor-type") {
      const std::string& rule = value();
      const size_t at = rule.rfind('=');
      if (at == std::string::npos) fail("--tensor-type: expected REGEX=FORMAT, got {}", rule);
      options.types.rules.emplace_back(rule.substr(0, at), format_named(rule.substr(at + 1)));
    } else if (words[i].starts_with("-") || !options.path.empty()) {
      fail("expected {}, got {}", kUsage, words[i]);
    } else {
      (options.shape.empty() ? options.shape : options.path) = words[i];
    }
  }
  if (options.path.empty()) fail("expected {}", kUsage);
  return options;
}

void run(const std::vector<std::string>& words) {
  if (words == std::vector<std::string>{"--list"}) return list();
  if (words == std::vector<std::string>{"--help"}) return static_cast<void>(std::puts(kUsage));
  const Options options = parse(words);
  OutputFile(options.path);  // Error: cannot be written, before minutes of making it
  for (test::ModelShape shape : test::model_shapes()) {
    if (shape.name != options.shape) continue;
    if (options.n_layers > 0) shape.n_layers = std::min(shape.n_layers, options.n_layers);
    const gguf::Writer holes = test::random_model(shape, options.types, options.seed, true);
    if (options.sparse) return holes.write(options.path);
    if (holes.data_bytes() > available_memory_bytes() / 2)
      fail("{}: expected at most half of the memory available ({} bytes), got {} bytes of weights",
           shape.name, available_memory_bytes(), holes.data_bytes());
    return test::random_model(shape, options.types, options.seed).write(options.path);
  }
  fail("{}: expected a shape of --list", options.shape);
}

}  // namespace
}  // namespace plumb

int main(int argc, char** argv) {
  return plumb::test::tool_main("plumb_write_model", [&] { plumb::run({argv + 1, argv + argc}); });
}
