// chat, as a person at a terminal drives it.

#include <chrono>
#include <thread>

#include "base/file.h"
#include "chat.h"

namespace plumb::test {
namespace {

class Terminal : public Chat {
 protected:
  void SetUp() override {
    if (!has_pseudo_terminals()) GTEST_SKIP() << "no pseudo-terminals (is /dev/pts mounted?)";
  }
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

TEST_F(Terminal, LinesPastedTogetherAreOneMessage) {
  const std::string file = path("c.json").string();
  Program program(PLUMB_PROGRAM, words(), terminal());
  ASSERT_TRUE(program.wait_for("> "));
  EXPECT_NE(program.out().find("\x1b[?2004h"), std::string::npos) << "the terminal is asked";
  program.send("say: \x1b[200~one\rtwo\r\x1b\x07tab\there \xC3\xB6\r\x1b[201~!\r");
  ASSERT_TRUE(program.wait_for("> ", "positions used"));
  program.send("/save " + file + "\n/exit\n");
  EXPECT_EQ(program.finish().code, 0);
  const Json j = Json::parse(read_file(file));
  ASSERT_EQ(j["messages"].size(), 2u);
  EXPECT_EQ(j["messages"][0]["content"], "say: one\ntwo\ntab\there ö!");
  EXPECT_TRUE(program.out().rfind("\x1b[?2004l") > program.out().rfind("\x1b[?2004h"));
}

TEST_F(Terminal, CtrlCDuringAPromptGivesTheLineBack) {
  const std::string slow =
      write_model("slow.gguf", {.n_layers = 4, .n_embd = 256, .n_ff = 1024, .n_context = 200000});
  const std::string file = path("c.json").string(), question(1500, 'q');
  Program program(PLUMB_PROGRAM, {"chat", "-m", slow, "-n", "2", "--backend", "reference"},
                  terminal());
  ASSERT_TRUE(program.wait_for("> "));
  program.send(question + "\r");
  ASSERT_TRUE(program.wait_for("\x1b[?2004l"));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  program.send("\x03");
  ASSERT_TRUE(program.wait_for("q", "0 tokens"));
  program.send("\x15short\r");
  ASSERT_TRUE(program.wait_for("> ", "[2 tokens"));
  program.send("/save " + file + "\r/exit\r");
  EXPECT_EQ(program.finish().code, 0);
  const Json j = Json::parse(read_file(file));
  ASSERT_EQ(j["messages"].size(), 2u);
  EXPECT_EQ(j["messages"][0]["content"], "short");
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
