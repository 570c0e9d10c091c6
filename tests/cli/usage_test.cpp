// The command line as such: commands, options, numbers, help, and which model is meant.

#include "cli.h"

namespace plumb::test {
namespace {

using Usage = Cli;
const char* const kCommands[] = {"run",     "chat",  "tokenize", "detokenize", "template",
                                 "logits",  "info",  "plan",     "check",      "bench",
                                 "compare", "probe", "shapes"};

TEST_F(Usage, NoneOrAnUnknownCommandNamesThoseThereAre) {
  for (const Words& words : {Words{}, Words{"benchmark"}, Words{"Run"}, Words{"-x"}, Words{""}}) {
    const Finished f = plumb(words);
    expect_refused(f, {"expected a command"});
    for (const char* command : kCommands) EXPECT_NE(f.err.find(command), std::string::npos);
  }
}

TEST_F(Usage, HelpGoesToStandardOutputWithAnExample) {
  EXPECT_NE(plumb({"-h"}).out.find("Example: plumb run"), std::string::npos);
  for (const std::string command : kCommands) {
    for (const char* flag : {"-h", "--help"}) {
      const Finished f = plumb({command, flag});
      EXPECT_EQ(f.code, 0);
      EXPECT_EQ(f.err, "");
      EXPECT_NE(f.out.find("Example: plumb " + command + " "), std::string::npos) << f.out;
      EXPECT_NE(f.out.find("-v,--verbose"), std::string::npos);
    }
  }
}

TEST_F(Usage, HelpNamesTheOptionsAsTheyAreTyped) {
  const std::string help = plumb({"run", "-h"}).out;
  for (const char* name : {"-ub,", "-ctk,", "-ctv,", "-n,", "-c,", "--min-p "})
    EXPECT_NE(help.find(name), std::string::npos) << name;
  EXPECT_EQ(help.find("--ctk"), std::string::npos);
}

TEST_F(Usage, NumbersAreStrict) {
  struct Case {
    std::string option, word;
  };
  const std::vector<Case> cases{{"-n", "12x"},
                                {"-n", "-2"},
                                {"-n", ""},
                                {"-n", "1e3"},
                                {"-n", "99999999999999999999"},
                                {"--temp", "nan"},
                                {"--temp", "inf"},
                                {"--temp", "0x1p3"},
                                {"--temp", " 1"},
                                {"--temp", "1e400"},
                                {"--temp", "-"},
                                {"-c", "-5"},
                                {"-c", "1.5"},
                                {"-t", "0"},
                                {"-t", "100000"},
                                {"-b", "0"},
                                {"-ub", "-1"},
                                {"--top-p", "1.01"},
                                {"--min-p", "-0.1"},
                                {"-s", "x"},
                                {"-s", "-2"},
                                {"-s", "18446744073709551616"},
                                {"--top-k", "4.5"},
                                {"--repeat-penalty", "0"},
                                {"--repeat-last-n", "-2"},
                                {"-ctk", "f17"},
                                {"-ctv", ""},
                                {"--logit-bias", "5"},
                                {"--logit-bias", "-1+1"},
                                {"--logit-bias", "x+1"},
                                {"--logit-bias", "5+inf"},
                                {"--backend", "tpu"},
                                {"--stop", ""}};
  for (const auto& [option, word] : cases) {
    SCOPED_TRACE(option + " " + word);
    const std::string name = option == "--stop" ? "stop" : option;
    expect_refused(tiny({"run", "-p", "x", option, word}), {name, "expected", "got"});
  }
}

TEST_F(Usage, WordsThatAreNotMeant) {
  expect_refused(plumb({"run", "--nonsense"}), {"--nonsense", "plumb run -h"});
  expect_refused(plumb({"run", "stray"}), {"run: expected an option", "got \"stray\""});
  expect_refused(plumb({"run", "-p"}), {"-p: expected a value", "got nothing"});
  expect_refused(plumb({"plan", "-n-tokens"}), {"-n-tokens: expected a value"});
  expect_refused(plumb({"run", "--raw=perhaps"}), {"--raw: expected no value", "perhaps"});
  expect_refused(plumb({"run", "-p", "x", "-m", ""}), {"-m: expected a file or a name"});
  expect_refused(plumb({"run", "two\nlines"}), {"two\\x0alines"});
  expect_refused(plumb({"run"}), {"expected a text", "-p", "-f"});
  expect_refused(plumb({"run", "-p", "x", "-f", "y"}), {"-p", "-f", "both"});
  expect_refused(plumb({"run", "-p", "x", "--raw", "--system", "y"}), {"--raw", "--system"});
  expect_refused(plumb({"tokenize", "--temp", "1", "-p", "x"}), {"--temp"});
}

TEST_F(Usage, ValuesAreNeverTakenForOptions) {
  for (const std::string text :
       {"-n", "--raw", "-ub", "- item", "[a,b]", "{}", "a=b", "--x=y", "-5", "%%", "'q'"}) {
    const Finished f = tiny({"tokenize", "-p", text, "--no-special"});
    ASSERT_EQ(f.code, 0) << text << f.err;
    EXPECT_EQ(tiny({"detokenize", "--ids", f.out}).out, text);
    EXPECT_EQ(tiny({"tokenize", "--no-special", "--prompt=" + text}).out, f.out) << text;
  }
  EXPECT_EQ(tiny({"tokenize", "--prompt=", "--json"}).out, "{\"ids\":[],\"pieces\":[]}\n");
}

TEST_F(Usage, TheLastOfSeveralWins) {
  EXPECT_EQ(tiny({"tokenize", "-p", "a", "-p", "b"}).out, tiny({"tokenize", "-p", "b"}).out);
}

TEST_F(Usage, LongNamesWithOneDash) {
  for (const Words& words :
       {Words{"-ub", "7"}, Words{"-ub=7"}, Words{"--ubatch-size", "7"}, Words{"--ub", "7"}}) {
    Words all{"run", "-p", "x", "-n", "1", "--json"};
    all.insert(all.end(), words.begin(), words.end());
    EXPECT_EQ(tiny(all).code, 0) << words.front();
  }
  EXPECT_EQ(json({"plan", "-n-tokens", "5", "--json"}),
            json({"plan", "--n-tokens", "5", "--json"}));
}

TEST_F(Usage, TheModelFolder) {
  expect_refused(plumb({"info"}), {"./run.sh", "-m", models().string()});
  expect_refused(plumb({"info", "-m", "absent"}), {"absent", models().string()});
  expect_refused(plumb({"info", "-m", "/absent/file.gguf"}), {"/absent/file.gguf", "No such file"});
  expect_refused(plumb({"info", "-m", folder_.path().string()}), {"regular file"});

  write_model("models/one.gguf");
  EXPECT_EQ(plumb({"info"}).code, 0) << "the only one";
  EXPECT_EQ(plumb({"info", "-m", "one"}).code, 0);
  EXPECT_EQ(plumb({"info", "-m", "one.gguf"}).code, 0);
  folder_.add("models/part-00002-of-00002.gguf", "not a first part");
  EXPECT_EQ(plumb({"info"}).code, 0);

  write_model("models/two.gguf");
  expect_refused(plumb({"info"}), {"one.gguf", "two.gguf", "-m"});
  EXPECT_EQ(plumb({"run", "-m", "two", "-p", "x", "-n", "1"}).code, 0);
  const Finished last = plumb({"info", "--json"});
  ASSERT_EQ(last.code, 0) << last.err;
  EXPECT_TRUE(Json::parse(last.out)["file"].get<std::string>().ends_with("two.gguf"));
}

TEST_F(Usage, BadFilesAreBadInput) {
  for (const std::string content : {"", "GGUF", "not a model at all"}) {
    const std::string file = folder_.add("bad.gguf", content).string();
    for (const Words& words : {Words{"info"}, Words{"run", "-p", "x"}, Words{"tokenize", "-p", "x"},
                               Words{"plan"}, Words{"check"}, Words{"chat"}}) {
      Words all = words;
      all.insert(all.end(), {"-m", file});
      expect_refused(plumb(all), {"bad.gguf"});
    }
  }
}

TEST_F(Usage, WhatDoesNotFitIsRefusedBeforeItIsTaken) {
  expect_refused(tiny({"run", "-p", "x", "-c", "2000000000"}),
                 {"memory", "expected at most", "-c"});
}

TEST_F(Usage, VerboseSpeaksOnStandardError) {
  const Finished f = tiny({"tokenize", "-p", "x", "-v"});
  EXPECT_EQ(f.out, tiny({"tokenize", "-p", "x"}).out);
  EXPECT_NE(f.err.find("tiny.gguf"), std::string::npos);
}

// A full disk, a reader that left, no output at all: an exit code, and no noise.
TEST_F(Usage, OutputThatCannotBeWritten) {
  ProgramOptions full = options();
  full.stdout_file = "/dev/full";
  const Words words{"tokenize", "-m", model(), "-p", "x"};
  const Finished disk = run_program(PLUMB_PROGRAM, words, "", full);
  EXPECT_EQ(disk.code, 1);
  EXPECT_NE(disk.err.find("standard output"), std::string::npos) << disk.err;
  full.stdout_file = "-";
  EXPECT_EQ(run_program(PLUMB_PROGRAM, words, "", full).code, 1);

  Program left(PLUMB_PROGRAM, {"tokenize", "-m", model(), "-f", "-"}, options());
  left.close_output();
  left.send("x");
  const Finished f = left.finish();
  EXPECT_EQ(f.code, 1);
  EXPECT_EQ(f.err, "");
}

}  // namespace
}  // namespace plumb::test
