// write_tiny_models FOLDER: the models of tiny_cases.h as NAME.gguf, with NAME.ids beside each.
// write_tiny_models FOLDER quality: those of quality_cases.h as NAME.SEED.gguf, and each as
// NAME.SEED-F32.gguf too.

#include <filesystem>

#include "base/error.h"
#include "support/quality_cases.h"
#include "support/tiny_cases.h"
#include "support/tool.h"

namespace plumb::test {
namespace {

gguf::File write(const std::filesystem::path& folder, const std::string& name,
                 const gguf::Writer& model, int64_t n_ids) {
  const std::filesystem::path path = folder / (name + ".gguf");
  model.write(path);
  gguf::File file = gguf::File::open(path);
  std::string ids;
  for (const int32_t id : tiny_case_ids(file.find_tensor("token_embd.weight")->ne[1], n_ids))
    ids += fmt::format("{} ", id);
  write_file(folder / (name + ".ids"), ids);
  return file;
}

void run(int argc, char** argv) {
  const bool quality = argc == 3 && argv[2] == std::string("quality");
  if ((argc != 2 && !quality) || argv[1][0] == '-')
    fail("expected write_tiny_models FOLDER [quality]");
  const std::filesystem::path folder = argv[1];
  if (!quality)
    for (const auto& c : tiny_cases()) write(folder, c.name, tiny_case_model(c), 80);
  else
    for (const auto& c : quality_cases())
      for (uint64_t seed = 1; seed <= c.n_seeds; ++seed) {
        const std::string name = fmt::format("{}.{}", c.name, seed);
        expanded(write(folder, name, quality_model(c, seed), kQualityIds))
            .write(folder / (name + "-F32.gguf"));
      }
}

}  // namespace
}  // namespace plumb::test

int main(int argc, char** argv) {
  using namespace plumb::test;
  return tool_main("write_tiny_models", [&] { run(argc, argv); });
}
