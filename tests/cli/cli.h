#pragma once
// The program itself, in a world of its own: a model folder that the test fills, and nothing of the
// user's.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/program.h"
#include "support/temp_folder.h"
#include "support/tiny_model.h"

namespace plumb::test {

class Cli : public ::testing::Test {
 protected:
  using Words = std::vector<std::string>;
  using Json = nlohmann::json;

  ProgramOptions options() const {
    ProgramOptions o;
    o.environment = {{"PLUMB_CACHE", models().string()},
                     {"HOME", folder_.path().string()},
                     {"PLUMB_LOCK_FOLDER", folder_.path().string()},
                     {"NO_COLOR", ""},
                     {"TERM", "xterm"},
                     {"LC_ALL", "C.UTF-8"}};
    return o;
  }
  Finished plumb(const Words& words, std::string_view input = "") const {
    return run_program(PLUMB_PROGRAM, words, input, options());
  }
  // Words, and the tiny model they are about.
  Finished tiny(Words words, std::string_view input = "") {
    words.insert(words.end(), {"-m", model()});
    return plumb(words, input);
  }
  Json json(const Words& words) {
    const Finished f = tiny(words);
    EXPECT_EQ(f.code, 0) << f.err;
    EXPECT_EQ(f.out.find('\n'), f.out.size() - 1) << "one line";
    return Json::parse(f.out, nullptr, false);
  }

  std::filesystem::path models() const { return folder_.path() / "models"; }
  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }
  std::string write_model(const std::string& name, const TinyOptions& tiny_options = {}) {
    const auto file = path(name);
    std::filesystem::create_directories(file.parent_path());
    tiny_llama(tiny_options).write(file);
    return file.string();
  }
  // A model with a context that a test does not fill by accident.
  std::string model() {
    if (model_.empty()) model_ = write_model("tiny.gguf", {.n_context = 4096});
    return model_;
  }

  TempFolder folder_;
  std::string model_;
};

// One line on standard error that holds all of these, nothing on standard output, exit code 2.
inline void expect_refused(const Finished& f, const std::vector<std::string>& parts) {
  EXPECT_EQ(f.code, 2) << f.err;
  EXPECT_EQ(f.out, "");
  EXPECT_TRUE(f.err.starts_with("plumb: ")) << f.err;
  EXPECT_EQ(f.err.find('\n'), f.err.size() - 1) << "one line: " << f.err;
  for (const std::string& part : parts)
    EXPECT_NE(f.err.find(part), std::string::npos) << part << " in: " << f.err;
}

}  // namespace plumb::test
