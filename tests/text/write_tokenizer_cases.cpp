// Writes what tools/make_tokenizer_reference.py gives to the reference tokenizers: FOLDER/NAME.gguf
// for each vocabulary, and FOLDER/SET.records, each text behind its length (u32, little-endian).
#include <cstdio>

#include "base/file.h"
#include "support/small_vocabulary.h"
#include "support/tokenizer_texts.h"

int main(int argc, char** argv) {
  using namespace plumb;
  if (argc != 2) return std::fprintf(stderr, "usage: write_tokenizer_cases FOLDER\n"), 2;
  const std::filesystem::path folder = argv[1];
  for (const auto& [name, options] : test::reference_vocabularies())
    test::small_vocabulary(options).write(folder / (name + ".gguf"));
  for (const auto& set : test::reference_texts()) {
    std::string out;
    for (const auto& text : set.texts) {
      const auto size = static_cast<uint32_t>(text.size());
      out.append(reinterpret_cast<const char*>(&size), 4).append(text);
    }
    write_file(folder / (set.name + ".records"), out);
  }
}
