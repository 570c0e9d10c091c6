// write_tiny_models FOLDER: the models of tiny_cases.h as NAME.gguf, with NAME.ids beside each.

#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "support/tiny_cases.h"

int main(int argc, char** argv) {
  using namespace plumb;
  if (argc != 2) {
    std::fprintf(stderr, "usage: write_tiny_models FOLDER\n");
    return 2;
  }
  for (const auto& c : test::tiny_cases()) {
    const std::filesystem::path folder = argv[1];
    test::tiny_case_model(c).write(folder / (c.name + ".gguf"));
    const auto file = gguf::File::open(folder / (c.name + ".gguf"));
    std::string ids;
    for (const int32_t id : test::tiny_case_ids(file.find_tensor("token_embd.weight")->ne[1]))
      ids += fmt::format("{} ", id);
    write_file(folder / (c.name + ".ids"), ids);
  }
}
