#include "measure/bench.h"

#include <gtest/gtest.h>

#include "support/temp_folder.h"
#include "support/tiny_model.h"

namespace plumb::test {
namespace {

// What is timed is what was asked for: the first token's logits are there too.
TEST(Bench, LogitsOfEveryTokenAreComputed) {
  const TempFolder folder;
  const auto path = folder.path() / "tiny.gguf";
  tiny_llama().write(path);
  const BenchSetup setup{.model = path.string(),
                         .n_batch = 8,
                         .n_ubatch = 8,
                         .type_k = Format::f16,
                         .type_v = Format::f16,
                         .n_threads = 1};
  Bench bench(setup, 8,
              {.repetitions = 1, .warm_up = false, .all_logits = true, .measure_limits = false});
  const auto first_row = [&](int64_t n_prompt) {
    EXPECT_TRUE(bench.run({.n_prompt = n_prompt, .n_gen = 0, .n_depth = 0}).options.all_logits);
    const auto row = bench.engine().executable().logits(0);
    return std::vector<float>(row.begin(), row.end());
  };
  EXPECT_EQ(first_row(1), first_row(3));
}

}  // namespace
}  // namespace plumb::test
