// chat: as a script drives it, and as a person at a terminal does.

#include <csignal>

#include "base/file.h"
#include "cli.h"

namespace plumb::test {
namespace {

class Chat : public Cli {
 protected:
  Words words(Words more = {}) {
    Words all{"chat", "-m", model(), "--temp", "0", "-n", "5", "--ignore-eos"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Finished chat(std::string_view script, const Words& more = {}) {
    return plumb(words(more), script);
  }
};

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

TEST_F(Chat, ReusesWhatWasComputed) {
  const Finished f = chat("Hello\nAgain\n/stats\n");
  EXPECT_NE(f.err.find("reused"), std::string::npos) << f.err;
}

TEST_F(Chat, BackslashContinuesALine) {
  const std::string file = path("c.json").string();
  chat("one\\\ntwo\n/save " + file + "\n");
  EXPECT_EQ(Json::parse(read_file(file))["messages"][0]["content"], "one\ntwo");
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

class Terminal : public Chat {
 protected:
  ProgramOptions terminal() const {
    ProgramOptions o = options();
    o.terminal = true;
    return o;
  }
};

TEST_F(Terminal, PromptsEditsAndRemembers) {
  const std::string file = path("c.json").string();
  Program program(PLUMB_PROGRAM, words(), terminal());
  ASSERT_TRUE(program.wait_for("> "));
  program.send("Hellp\x7fo \xC3\xB6\n");  // a mistake rubbed out, and a letter of two bytes
  ASSERT_TRUE(program.wait_for("positions used"));
  program.send("/save " + file + "\n");
  program.send("/exit\n");
  const Finished f = program.finish();
  EXPECT_EQ(f.code, 0) << f.out;
  EXPECT_EQ(Json::parse(read_file(file))["messages"][0]["content"], "Hello ö");
  EXPECT_NE(f.out.find("\x1b[2m"), std::string::npos) << "figures are dim on a terminal";

  Program again(PLUMB_PROGRAM, words(), terminal());
  ASSERT_TRUE(again.wait_for("> "));
  again.send("\x10\x10\x10\n");  // Ctrl-P: back past /exit and /save
  ASSERT_TRUE(again.wait_for("> ", "positions used")) << again.out();
  again.send("\x04");
  EXPECT_EQ(again.finish().code, 0);
}

TEST_F(Terminal, NoColourWhereNoneIsWanted) {
  ProgramOptions o = terminal();
  o.environment["NO_COLOR"] = "1";
  Program program(PLUMB_PROGRAM, {"run", "-m", model(), "-p", "Hello", "-n", "2"}, o);
  const Finished f = program.finish();
  EXPECT_EQ(f.code, 0);
  EXPECT_EQ(f.out.find('\x1b'), std::string::npos) << f.out;
}

TEST_F(Terminal, CtrlCAtAnEmptyPromptWarnsThenQuits) {
  Program program(PLUMB_PROGRAM, words(), terminal());
  ASSERT_TRUE(program.wait_for("> "));
  program.send("half a line");
  ASSERT_TRUE(program.wait_for("half a line"));
  program.send("\x03");
  ASSERT_TRUE(program.wait_for("half a line\r\n")) << "it is left";
  program.send("\x03");
  ASSERT_TRUE(program.wait_for("Ctrl-C again"));
  program.send("\x03");
  EXPECT_EQ(program.finish().code, 130);
}

TEST_F(Terminal, CtrlDQuits) {
  Program program(PLUMB_PROGRAM, words(), terminal());
  ASSERT_TRUE(program.wait_for("> "));
  program.send("\x04");
  EXPECT_EQ(program.finish().code, 0);
}

}  // namespace
}  // namespace plumb::test
