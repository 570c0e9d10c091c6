// chat, as a script drives it.

#include "chat.h"

#include <chrono>
#include <csignal>
#include <sstream>
#include <thread>

#include "base/file.h"

namespace plumb::test {
namespace {

TEST_F(Chat, AnswersLineByLine) {
  const Finished one = chat("Hello\n"), two = chat("Hello\n\n  \nAgain");
  EXPECT_EQ(one.code, 0) << one.err;
  EXPECT_TRUE(one.out.ends_with('\n'));
  EXPECT_TRUE(two.out.starts_with(one.out));
  EXPECT_GT(two.out.size(), one.out.size())
      << "the last line needs no end; empty ones are no messages";
  EXPECT_EQ(one.out.find("> "), std::string::npos) << "no prompt off a terminal";
  EXPECT_NE(one.err.find("tok/s"), std::string::npos);
  EXPECT_EQ(chat("Hello\n", {"--no-stats"}).err, "");
  EXPECT_EQ(chat("", {"-p", "Hello"}).out, one.out) << "the first message may come as an option";
}

TEST_F(Chat, NeedsNoPlaceForItsHistory) {
  ProgramOptions o = options();
  o.environment["HOME"] = o.environment["PLUMB_CACHE"] = "";
  const Finished f = run_program(PLUMB_PROGRAM, words(), "Hello\n", o);
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(f.out, chat("Hello\n").out);
}

TEST_F(Chat, ReusesWhatWasComputed) {
  const Finished f = chat("Hello\nAgain\n/stats\n");
  EXPECT_NE(f.err.find("reused"), std::string::npos) << f.err;
}

TEST_F(Chat, BackslashContinuesALine) {
  const std::string file = path("c.json").string();
  chat("one\\\ntwo\n/save " + file + "\n");
  EXPECT_EQ(Json::parse(read_file(file))["messages"][0]["content"], "one\ntwo");
  EXPECT_FALSE(chat("one\\").out.empty()) << "the input ends there";
}

TEST_F(Chat, CommandsAreNotMessages) {
  const Finished f = chat("/help\n/reset\n/exit\nnever read\n");
  EXPECT_EQ(f.code, 0);
  EXPECT_EQ(f.out, "");
  for (const char* word : {"/help", "/reset", "/save", "/load", "/stats", "/system"})
    EXPECT_NE(f.err.find(word), std::string::npos) << word;
  const Finished unknown = chat("/nonsense\n/stats\n");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.err.find("/nonsense"), std::string::npos);
  EXPECT_NE(chat(" /path is text\n").out, "");
}

TEST_F(Chat, ResetForgets) {
  const Words random{"--temp", "3", "-s", "1"};
  const std::string once = chat("Hello\n", random).out;
  EXPECT_EQ(chat("Hello\n/reset\nHello\n", random).out, once + once);
  EXPECT_NE(chat("Hello\nHello\n", random).out, once + once);
}

TEST_F(Chat, SystemTextsCount) {
  const std::string file = path("c.json").string();
  EXPECT_EQ(chat("/system Be kind\nHello\n").out, chat("Hello\n", {"--system", "Be kind"}).out);
  chat("/system Be kind\nHello\n/save " + file + "\n");
  const Json j = Json::parse(read_file(file));
  EXPECT_EQ(j["messages"][0], (Json{{"role", "system"}, {"content", "Be kind"}}));
  EXPECT_EQ(chat("/system Be kind\n/system\nHello\n").out, chat("Hello\n").out);
}

TEST_F(Chat, SavesAndLoads) {
  const std::string file = path("c.json").string();
  const std::string both = chat("Hello\nAgain\n/save " + file + "\nMore\n").out;
  const Json j = Json::parse(read_file(file));
  EXPECT_EQ(j["model"], "tiny.gguf");
  ASSERT_EQ(j["messages"].size(), 4u);
  EXPECT_EQ(j["messages"][1]["role"], "assistant");
  const std::string more = chat("/load " + file + "\nMore\n").out;
  EXPECT_FALSE(more.empty());
  EXPECT_TRUE(both.ends_with(more));
}

TEST_F(Chat, WhatIsLoadedIsChecked) {
  const std::vector<std::pair<std::string, std::string>> bad{
      {"", "JSON"},
      {"[]", "object"},
      {"{}", "messages"},
      {R"({"messages":{}})", "messages"},
      {R"({"messages":[1]})", "messages[0]"},
      {R"({"messages":[{"role":"user"}]})", "content"},
      {R"({"messages":[{"role":"user","content":1}]})", "string"},
      {R"({"messages":[{"role":"user","content":"x","tool":1}]})", "tool"},
      {R"({"messages":[{"role":"assistant","content":"x"}]})", "user"},
      {R"({"messages":[{"role":"user","content":"x"}]})", "answer"},
      {R"({"messages":[{"role":"user","content":"x"},{"role":"system","content":"y"}]})",
       "assistant"},
      {"{\"messages\":" + std::string(100000, '['), "nesting"}};
  for (const auto& [content, word] : bad) {
    const std::string file = folder_.add("bad.json", content).string();
    const Finished f = chat("/load " + file + "\nHello\n", {"--no-stats"});
    EXPECT_EQ(f.code, 2) << content.substr(0, 80);
    EXPECT_NE(f.err.find("bad.json"), std::string::npos) << f.err;
    EXPECT_NE(f.err.find(word), std::string::npos) << f.err;
    EXPECT_EQ(std::count(f.err.begin(), f.err.end(), '\n'), 1) << f.err;
    EXPECT_EQ(f.out, chat("Hello\n").out) << "the chat goes on";
  }
  EXPECT_NE(chat("/load\n").err.find("expected a file"), std::string::npos);
  EXPECT_EQ(chat("/save /absent/x\n").code, 2);
}

TEST_F(Chat, RawContinuesTheTextSoFar) {
  const std::string first = chat("ab\n", {"--raw"}).out;
  EXPECT_EQ(
      first,
      tiny({"run", "--raw", "-p", "ab", "--temp", "0", "-n", "5", "--ignore-eos"}).out + "\n");
  const std::string text = "ab" + first.substr(0, first.size() - 1) + "cd";
  EXPECT_EQ(chat("ab\ncd\n", {"--raw"}).out,
            first +
                tiny({"run", "--raw", "-p", text, "--temp", "0", "-n", "5", "--ignore-eos"}).out +
                "\n");
  EXPECT_NE(first, chat("ab\n").out);
  expect_refused(chat("", {"--raw", "--system", "x"}), {"--raw", "--system"});
  EXPECT_EQ(chat("/system x\n", {"--raw"}).code, 2);
  const std::string bare = write_model("bare.gguf", {.chat_template = false});
  EXPECT_EQ(plumb({"chat", "-m", bare, "--raw", "-n", "1", "--no-stats"}, "ab\n").err, "")
      << "no template is missed";
}

TEST_F(Chat, JsonIsAnObjectPerAnswer) {
  const Finished f = chat("Hello\n/reset\nAgain\n", {"--json", "-n", "3"});
  EXPECT_EQ(f.code, 0);
  EXPECT_EQ(f.err, "");
  std::istringstream lines(f.out);
  std::string line;
  for (const char* prompt : {"Hello", "Again"}) {
    ASSERT_TRUE(std::getline(lines, line));
    Json got = Json::parse(line),
         expected = json({"run", "-p", prompt, "--temp", "0", "-n", "3", "--ignore-eos", "--json"});
    for (const char* field : {"text", "ids", "prompt_tokens", "generated_tokens", "stop"})
      EXPECT_EQ(got[field], expected[field]) << field;
    EXPECT_EQ(got.size(), expected.size()) << "the same fields";
    EXPECT_GT(got["timings"]["limit_gbps"], 0);
  }
  EXPECT_FALSE(std::getline(lines, line)) << line;
}

TEST_F(Chat, AFullContextIsSaidAndResetHelps) {
  const std::string line(120, 'x');
  const Finished f = chat(line + "\n" + line + "\n/reset\nHello\n", {"-c", "180", "--no-stats"});
  EXPECT_NE(f.err.find("/reset"), std::string::npos) << f.err;
  EXPECT_NE(f.err.find("-c"), std::string::npos);
  EXPECT_TRUE(f.out.ends_with(chat("Hello\n").out)) << f.out;
  const Finished cut = chat("Hello\n", {"-c", "32", "-n", "-1", "--no-stats"});
  EXPECT_EQ(cut.code, 0);
  EXPECT_NE(cut.err.find("context is full"), std::string::npos) << cut.err;
}

TEST_F(Chat, CtrlCEndsTheAnswerAndNotTheChat) {
  const std::string slow =
      write_model("slow.gguf", {.n_layers = 4, .n_embd = 256, .n_ff = 1024, .n_context = 200000});
  const std::string file = path("c.json").string();
  Program program(
      PLUMB_PROGRAM,
      {"chat", "-m", slow, "-c", "200000", "--ignore-eos", "--temp", "0", "--backend", "reference"},
      options());
  program.send("Hello\n");
  ASSERT_TRUE(program.wait_for_bytes(3));
  program.signal(SIGINT);
  ASSERT_TRUE(program.wait_for_error("tok/s")) << "the answer has ended";
  program.send("/save " + file + "\n");
  EXPECT_EQ(program.finish().code, 0);
  EXPECT_FALSE(Json::parse(read_file(file))["messages"][1]["content"].get<std::string>().empty());
}

// The question is as if it had not been asked, and the next one is answered as in a new chat.
TEST_F(Chat, CtrlCDuringAPromptGivesItUp) {
  const std::string slow =
      write_model("slow.gguf", {.n_layers = 4, .n_embd = 256, .n_ff = 1024, .n_context = 200000});
  const Words command{"chat",  "-m",           slow,    "-c",        "0",         "-n",
                      "3",     "--ignore-eos", "-v",    "--temp",    "0",         "-b",
                      "65536", "-ub",          "65536", "--backend", "reference", "--no-stats"};
  Program program(PLUMB_PROGRAM, command, options());
  ASSERT_TRUE(program.wait_for_error("backend reference"));
  program.send(std::string(60000, 'x') + "\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  program.signal(SIGINT);
  program.send("Hello\n");
  const Finished f = program.finish();
  EXPECT_EQ(f.code, 0);
  const Finished fresh = run_program(PLUMB_PROGRAM, command, "Hello\n", options());
  EXPECT_TRUE(f.out.ends_with("\n" + fresh.out)) << f.out;
  EXPECT_EQ(f.out.size(), 1 + fresh.out.size()) << "of the first nothing was said";
}

}  // namespace
}  // namespace plumb::test
