// The whole program on a sample of the malformed files: exit code 2 and one line that says why, or
// a file that was harmless after all and exit code 0. Nothing else.

#include "support/program.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "fuzz/malformed.h"
#include "support/temp_folder.h"

namespace plumb::test {
namespace {

// How many files lie between two of the sample: no common factor with how the generator counts.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PLUMB_TEST_IS_SLOW
#endif
#endif
#ifdef PLUMB_TEST_IS_SLOW
constexpr int kEvery = 101;
#else
constexpr int kEvery = 23;
#endif

class WholeProgram : public testing::Test {
 protected:
  // Runs the n-th command on a file.
  Finished run(size_t n, const std::string& path) const {
    const std::vector<std::vector<std::string>> commands = {
        {"run", "-p", "hi", "-n", "1", "-c", "64", "-t", "1", "--temp", "0"},
        {"run", "-p", "hi", "-n", "1", "-c", "64", "--raw", "--backend", "reference"},
        {"info"},
        {"tokenize", "-p", "hi"},
    };
    std::vector<std::string> words = commands[n % commands.size()];
    words.insert(words.end(), {"-m", path});
    return run_program(PLUMB_PROGRAM, words, "",
                       {.environment = {{"PLUMB_CACHE", folder_.path().string()}}});
  }

  // Which commands cannot but notice.
  static std::vector<size_t> commands_for(Refusal refusal) {
    if (refusal == Refusal::by_model) return {0, 1};
    if (refusal == Refusal::by_tokenizer) return {0, 1, 3};
    return {0, 1, 2, 3};
  }

  TempFolder folder_;
};

// "": as it should be.
std::string complaint_about(const Finished& f, bool must_refuse) {
  if (f.code == 0) return must_refuse ? "was accepted" : "";
  if (f.code != 2) return fmt::format("code {}", f.code);
  const auto lines = std::ranges::count(f.err, '\n');
  return lines == 1 && f.err.size() > 1 ? "" : fmt::format("{} lines on standard error", lines);
}

TEST_F(WholeProgram, accepts_the_files_to_start_from) {
  for (const Base& base : malformed_bases()) {
    const auto path = folder_.add(base.name + ".gguf", put_together(base.file).bytes);
    for (size_t n = 0; n < 4; ++n) {
      const Finished f = run(n, path);
      const bool needs_weights = n < 2;
      EXPECT_EQ(f.code, needs_weights && !base.has_weights() ? 2 : 0) << base.name << ": " << f.err;
    }
  }
}

TEST_F(WholeProgram, refuses_malformed_files_with_one_line) {
  size_t n = 0, runs = 0;
  for_each_malformed([&](const Malformed& m) {
    if (n++ % kEvery) return;
    const auto path = folder_.add("malformed.gguf", m.bytes);
    const std::vector<size_t> commands = commands_for(m.refusal);
    const Finished f = run(commands[runs++ % commands.size()], path);
    EXPECT_EQ(complaint_about(f, m.refusal != Refusal::not_required), "") << m.what << "\n"
                                                                          << f.err;
  });
  EXPECT_GE(runs, 150u);
}

}  // namespace
}  // namespace plumb::test
