// bench, compare and probe: what they print, and that one waits for another.

#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "cli.h"
#include "measure/device_lock.h"

namespace plumb::test {
namespace {

using ::testing::HasSubstr;
using Bench = Cli;
using Compare = Cli;
using Probing = Cli;

TEST_F(Bench, AllCombinationsAsJson) {
  const Finished f = tiny({"bench",   "-p", "16",   "-n",  "2",   "-n",        "3", "-pg",
                           "8,2",     "-d", "0,70", "-t",  "1-2", "-r",        "2", "-ctk",
                           "f16,f32", "-o", "json", "-oe", "csv", "--no-limit"});
  ASSERT_EQ(f.code, 0) << f.err;
  const Json j = Json::parse(f.out);
  ASSERT_EQ(j.size(), 4u * 2 * 2 * 2);
  for (const Json& r : j) {
    EXPECT_EQ(r["samples_ns"].size(), 2u);
    EXPECT_GT(r["avg_ts"], 0);
    EXPECT_GT(r["gbps"], 0);
    EXPECT_EQ(r["model_filename"], model());
    EXPECT_GT(r["weight_bytes_per_token"], 0);
  }
  EXPECT_EQ(j[0]["n_prompt"], 16);
  EXPECT_EQ(j[2]["n_gen"], 3);
  EXPECT_EQ(j[3]["n_prompt"], 8);
  EXPECT_EQ(j[4]["n_depth"], 70);
  EXPECT_EQ(j[8]["n_threads"], 2);
  EXPECT_EQ(j[16]["type_k"], "f32");
  EXPECT_EQ(std::count(f.err.begin(), f.err.end(), '\n'), 33) << "a line of names and the rows";
}

TEST_F(Bench, LimitsStandBesideTheResult) {
  const Finished f = tiny({"bench", "-p", "16", "-n", "2", "-r", "1", "-o", "jsonl"});
  ASSERT_EQ(f.code, 0) << f.err;
  for (const size_t line : {size_t{0}, f.out.find('\n') + 1}) {
    const Json r = Json::parse(f.out.substr(line, f.out.find('\n', line) - line));
    EXPECT_GT(r["limit_gbps"], 0);
    EXPECT_GT(r["limit_gmacs"], 0);
    EXPECT_GT(r["share_of_limit"], 0);
    EXPECT_EQ(r["limit_gbps_samples"].size(), 2u) << "before and after";
  }
}

TEST_F(Bench, OptionsOfLlamaBenchThatScriptsPass) {
  const Finished f = tiny(
      {"bench",       "--n_prompt", "4",       "--n-gen=0", "-r",         "1",   "-ngl",   "99",
       "-fa",         "1",          "--mmap",  "0",         "-C",         "0x0", "--prio", "0",
       "--no-warmup", "--progress", "--delay", "0",         "--no-limit", "-o",  "jsonl"});
  ASSERT_EQ(f.code, 0) << f.err;
  const Json j = Json::parse(f.out);
  EXPECT_EQ(j["n_prompt"], 4);
  EXPECT_TRUE(j["limit_gbps"].is_null() && j["share_of_limit"].is_null());
  EXPECT_THAT(f.err, HasSubstr("-ngl: changes nothing"));
  EXPECT_THAT(f.err, HasSubstr("benchmark 1/1"));
  for (const char* usual : {"-fa", "--mmap", "-C", "--prio"})
    EXPECT_EQ(f.err.find(std::string(usual) + ":"), std::string::npos) << usual;
}

TEST_F(Bench, OptionsThatWouldChangeTheResultAreRefused) {
  const std::vector<Words> cases{{"--cpu-mask", "0x3"}, {"--numa", "isolate"}, {"-rpc", "host:1"},
                                 {"-hf", "a/b"},        {"-embd", "1"},        {"--list-devices"},
                                 {"-ot", "a=CPU"},      {"--prio=2"}};
  for (Words words : cases) {
    const std::string name = words[0].substr(0, words[0].find('='));
    words.insert(words.begin(), "bench");
    expect_refused(tiny(words), {name});
  }
  expect_refused(plumb({"bench", "-fa"}), {"-fa", "value"});
  expect_refused(tiny({"bench", "-n", "1-"}), {"-n", "ranges"});
  expect_refused(tiny({"bench", "-t", "0"}), {"-t"});
  expect_refused(tiny({"bench", "-pg", "5"}), {"-pg"});
  expect_refused(tiny({"bench", "-o", "xml"}), {"-o", "jsonl"});
  expect_refused(tiny({"bench", "-n", "0", "-p", "0"}), {"-p", "-n"});
  expect_refused(tiny({"bench", "-ctk", "f99"}), {"-ctk", "f99"});
  expect_refused(tiny({"bench", "--cpu", "sse9"}), {"--cpu", "sse9"});
  expect_refused(plumb({"bench", "-m", "/absent.gguf"}), {"/absent.gguf"});
  expect_refused(tiny({"bench", "--backend", "reference", "--cpu", "scalar"}), {"--cpu", "cpu"});
  expect_refused(tiny({"bench", "--backend", "reference", "-nr"}), {"--no-repack", "reference"});
}

// And prints nothing of a table whose tests cannot all run.
TEST_F(Bench, NeedsTheMemoryBeforeItBegins) {
  model_ = write_model("deep.gguf", {.n_layers = 128});
  const Finished f =
      tiny({"bench", "-p", "1", "-n", "0", "-d", "0,16000000", "-ctk", "f32", "-ctv", "f32"});
  expect_refused(f, {"memory: expected at most", "16000001 positions", "-d"});
  EXPECT_EQ(f.out, "");
}

TEST_F(Bench, SaysThatTestsGoBeyondTheModelsContext) {
  const Finished f = tiny({"bench", "-p", "4100", "-n", "0", "-r", "1", "--no-limit"});
  ASSERT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(f.err, HasSubstr("the tests go to 4100"));
}

TEST_F(Bench, TheSamplerTooWhenAskedFor) {
  const Finished f =
      tiny({"bench", "-p", "0", "-n", "8", "-d", "5", "-r", "3", "--with-sampling", "--no-limit"});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(f.out, HasSubstr("tg8 @ d5"));
}

TEST_F(Bench, LogitsOfEveryTokenCostMore) {
  const auto macs = [&](Words words) {
    words.insert(words.begin(), {"bench", "-p", "30", "-ub", "8", "-n", "2", "-r", "1",
                                 "--no-limit", "-o", "json"});
    const Finished f = tiny(words);
    EXPECT_EQ(f.code, 0) << f.err;
    const Json j = Json::parse(f.out, nullptr, false);
    return j[0]["gmacs"].get<double>() * j[0]["avg_ns"].get<double>();
  };
  EXPECT_GT(macs({"--all-logits"}), 1.2 * macs({}));
}

TEST_F(Bench, SaysWhetherTheWeightsStayedInTheFile) {
  for (const bool no_repack : {true, false}) {
    Words words{"bench", "-p", "3", "-n", "2", "-r", "1", "--no-limit", "-o", "json"};
    if (no_repack) words.emplace_back("-nr");
    const Finished f = tiny(words);
    ASSERT_EQ(f.code, 0) << f.err;
    for (const Json& j : Json::parse(f.out, nullptr, false)) EXPECT_EQ(j["no_repack"], no_repack);
  }
}

TEST_F(Bench, OneMeasuresAtATime) {
  const DeviceLock mine("cpu", "somebody's benchmark", {}, folder_.path());
  expect_refused(tiny({"bench", "-p", "1", "-n", "0"}), {"somebody's benchmark", "--wait"});
  expect_refused(plumb({"probe"}), {"somebody's benchmark"});
  expect_refused(tiny({"profile"}), {"somebody's benchmark"});
  expect_refused(tiny({"shapes"}), {"somebody's benchmark"});
  expect_refused(tiny({"ppl", "-p", "x"}), {"somebody's benchmark"});
  expect_refused(plumb({"compare", "--run", "true", "--run", "true"}), {"somebody's benchmark"});
}

TEST_F(Bench, WaitsWhenAskedTo) {
  auto mine = std::make_unique<DeviceLock>("cpu", "somebody's benchmark", nullptr, folder_.path());
  Program waiting(PLUMB_PROGRAM,
                  {"bench", "-m", model(), "-p", "1", "-n", "0", "--no-limit", "--wait"},
                  options());
  ASSERT_TRUE(waiting.wait_for_error("waiting for somebody's benchmark"));
  EXPECT_EQ(waiting.out(), "");
  mine.reset();
  EXPECT_EQ(waiting.finish().code, 0);
}

std::string record(const std::string& rates) {
  return R"([{"n_prompt":0,"n_gen":128,"samples_ts":)" + rates + "}]";
}

TEST_F(Compare, TwoFiles) {
  const std::string a = path("a.json").string(), b = path("b.json").string();
  write_file(a, record("[100,101,99,100]"));
  write_file(b, record("[110,111,109,110]"));
  const Json j = Json::parse(plumb({"compare", a, b, "--json"}).out);
  EXPECT_EQ(j["verdict"], "better");
  EXPECT_NEAR(j["ratio"].get<double>(), 1.1, 1e-3);
  EXPECT_EQ(j["samples_a"], 4);
  EXPECT_THAT(plumb({"compare", b, a}).out, HasSubstr("verdict: worse\n"));
  EXPECT_THAT(plumb({"compare", a, a}).out, HasSubstr("verdict: no difference\n"));
}

TEST_F(Compare, TwoCommandsInTurns) {
  const auto prints = [](const char* rate) {
    return std::string("echo hello; echo '{\"n_prompt\":0,\"n_gen\":1,\"samples_ts\":[") + rate +
           "]}'";
  };
  const std::string log = path("log").string();
  const Finished f =
      plumb({"compare", "--rounds", "3", "--json", "--run", prints("100") + "; echo a >>" + log,
             "--run", prints("90") + "; echo b >>" + log});
  ASSERT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(Json::parse(f.out)["verdict"], "worse");
  EXPECT_EQ(read_file(log), "a\nb\na\nb\nb\na\na\nb\n") << "a warm-up, then turns";
}

// They measure on behalf of compare, which holds the lock.
TEST_F(Compare, BenchmarksAsCommands) {
  const std::string command =
      std::string(PLUMB_PROGRAM) + " bench -p 0 -n 4 -r 1 --no-limit -o jsonl -m " + model();
  const Finished f =
      plumb({"compare", "--rounds=3", "--run", command, "--run", command + " -t 1", "--json"});
  ASSERT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(Json::parse(f.out)["samples_b"], 3);
}

// A disk that is full leaves the lock's file empty.
TEST_F(Compare, BenchmarksNeedNoNameInTheLock) {
  const std::string command = ": >" + path("plumb-cpu.lock").string() + "; " + PLUMB_PROGRAM +
                              " bench -p 0 -n 1 -r 1 --no-limit -o jsonl --wait -m " + model();
  const Finished f = plumb({"compare", "--rounds=3", "--run", command, "--run", command, "--json"});
  ASSERT_EQ(f.code, 0) << f.err;
}

// compare with a command that tells its process and stays, as a benchmark would.
class Stays : public Cli {
 protected:
  void start() {
    const std::string command = "sleep 600 & echo pid $! >&2; wait";
    compare_ = std::make_unique<Program>(
        PLUMB_PROGRAM, Words{"compare", "-v", "--run", command, "--run", command}, options());
    ASSERT_TRUE(compare_->wait_for_error("pid "));
    pid_ = std::stoi(compare_->err().substr(compare_->err().find("pid ") + 4));
    ASSERT_TRUE(is_alive());
  }
  // A dead process that nobody has waited for is a zombie.
  bool is_alive() const {
    std::ifstream stat("/proc/" + std::to_string(pid_) + "/stat");
    std::string number, name, state;
    return stat >> number >> name >> state && state != "Z" && state != "X";
  }
  bool ends() const {
    for (int i = 0; i < 6000 && is_alive(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return !is_alive();
  }
  std::unique_ptr<Program> compare_;
  pid_t pid_ = -1;
};

TEST_F(Stays, CommandsEndWithCompare) {
  for (const int signal : {SIGTERM, SIGHUP, SIGINT}) {
    start();
    compare_->signal(signal);
    EXPECT_EQ(compare_->finish().code, signal == SIGINT ? 130 : 128 + signal);
    EXPECT_TRUE(ends()) << signal;
  }
}

TEST_F(Stays, TheLockStaysAsLongAsTheCommand) {
  start();
  compare_->signal(SIGKILL);
  ASSERT_TRUE(is_alive());
  expect_refused(tiny({"bench", "-p", "1", "-n", "0"}), {"plumb compare", "--wait"});
  ::kill(pid_, SIGKILL);
  ASSERT_TRUE(ends());
  EXPECT_EQ(tiny({"bench", "-p", "1", "-n", "0", "--no-limit", "--wait"}).code, 0);
  compare_->finish();
}

TEST_F(Compare, WhatCannotBeComparedIsRefused) {
  const std::string a = path("a.json").string();
  write_file(a, record("[100,101,99]"));
  expect_refused(plumb({"compare"}), {"two files"});
  expect_refused(plumb({"compare", a}), {"1 file"});
  expect_refused(plumb({"compare", a, a, a}), {"3 files"});
  expect_refused(plumb({"compare", a, a, "--run", "true"}), {"both"});
  expect_refused(plumb({"compare", "--run", "true"}), {"1 command"});
  expect_refused(plumb({"compare", a, "/absent"}), {"/absent"});
  expect_refused(plumb({"compare", a, a, "--rounds", "2"}), {"--rounds"});
  const std::string x = path("x.json").string();
  write_file(x, "{}");
  expect_refused(plumb({"compare", a, x}), {"x.json", "llama-bench's JSON"});
  write_file(x, R"({"samples_ns": [1]})");
  expect_refused(plumb({"compare", a, x}), {"x.json", "n_prompt"});
  for (const char* nonsense : {R"("other_processes_share": "x")", R"("other_processes_share": -7)",
                               R"("limit_gbps_samples": ["x"])", R"("limit_gbps_samples": "x")"}) {
    std::string r = record("[100,101,99]");
    r.insert(r.find('{') + 1, std::string(nonsense) + ", ");
    write_file(x, r);
    expect_refused(plumb({"compare", a, x}), {"x.json", "expected"});
  }
  const std::string good = "echo '" + record("[1]") + "'";
  expect_refused(plumb({"compare", "--run", good, "--run", "echo no >&2; exit 7"}),
                 {"exit code 0, got 7", "no"});
  expect_refused(plumb({"compare", "--run", good, "--run", "echo '| md |'"}), {"-o json"});
}

TEST_F(Probing, NeedsNoFolder) {
  ProgramOptions nowhere = options();
  nowhere.environment["HOME"] = nowhere.environment["PLUMB_CACHE"] = "";
  const Finished f = run_program(PLUMB_PROGRAM, {"probe", "--json"}, "", nowhere);
  ASSERT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(f.err, HasSubstr("not kept"));
  const Json j = Json::parse(f.out);
  EXPECT_TRUE(j["file"].is_null());
  EXPECT_EQ(j["kept"], false);
  EXPECT_TRUE(j["threads"][0].contains("other_processes_share"));
}

TEST_F(Probing, IsKeptUntilMeasuredAgain) {
  const Json first = Json::parse(plumb({"probe", "--json"}).out);
  EXPECT_EQ(first["kept"], false);
  EXPECT_GT(first["threads"][0]["read_gbps"], 0);
  const Json second = Json::parse(plumb({"probe", "--json"}).out);
  EXPECT_EQ(second["kept"], true);
  EXPECT_EQ(second["threads"], first["threads"]);
  EXPECT_EQ(second["file"], first["file"]);
  const std::string text = plumb({"probe"}).out;
  EXPECT_THAT(text, HasSubstr("read, GB/s"));
  EXPECT_THAT(text, HasSubstr("measured"));
  EXPECT_EQ(Json::parse(plumb({"probe", "--json", "--again"}).out)["kept"], false);

  write_file(first["file"].get<std::string>(), "{\"processor\": 7}");
  const Finished repaired = plumb({"probe", "--json"});
  EXPECT_EQ(Json::parse(repaired.out)["kept"], false);
  EXPECT_THAT(repaired.err, HasSubstr("measured again"));
}

}  // namespace
}  // namespace plumb::test
