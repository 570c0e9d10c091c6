// Thousands of malformed files against everything that reads them: each is refused with an Error
// that says what is wrong, or is harmless. Nothing crashes (sanitizers watch), hangs (an alarm
// watches) or grows (operator new counts).

#include "fuzz/malformed.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <map>

#include "base/error.h"
#include "fuzz/heap_meter.h"
#include "fuzz/stages.h"

namespace plumb::test {
namespace {

constexpr unsigned kHangSeconds = 30;
constexpr int kMostReports = 20;
constexpr const char* kFileName = "malformed.gguf";

// The case that runs now, for whoever is woken by the alarm.
char current[256];

void on_alarm(int) {
  const auto say = [](const char* s, size_t n) { return ::write(STDERR_FILENO, s, n) == 0; };
  say("hangs: ", 7);
  say(current, std::strlen(current));
  say("\n", 1);
  ::_exit(1);
}

// What became of a file: the message of each stage that refused it, and what was wrong with how.
struct Outcome {
  std::map<std::string, std::string> refusals;  // stage -> message
  std::string complaint;                        // "": none
  int64_t peak_bytes = 0;

  bool refused_by(const std::string& stage) const {
    return refusals.contains("open") || refusals.contains(stage);
  }
};

std::string complaint_about(const std::string& message) {
  if (message.find(kFileName) == std::string::npos) return "does not name the file: " + message;
  if (message.find_first_of("\n\r\x1b") != std::string::npos) return "is not one line: " + message;
  return message.size() < 600 ? "" : "is too long: " + message;
}

template <typename Action>
void run_stage(Outcome& outcome, const std::string& stage, Action action) {
  try {
    action();
  } catch (const Error& error) {
    outcome.refusals[stage] = error.what();
    outcome.complaint += complaint_about(error.what());
    if (error.code() != ErrorCode::bad_input) outcome.complaint += "not bad input";
  } catch (const std::exception& other) {
    outcome.complaint = stage + " threw " + other.what();
  }
}

Outcome run_stages(const std::string& bytes) {
  Outcome outcome;
  const HeapMeter meter;
  std::optional<gguf::File> file;
  run_stage(outcome, "open", [&] {
    file = gguf::File::from_bytes(kFileName,
                                  {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  });
  if (file)
    for (const Stage& stage : stages()) run_stage(outcome, stage.name, [&] { stage.run(*file); });
  outcome.peak_bytes = meter.peak();
  return outcome;
}

bool satisfied(Refusal refusal, const Outcome& outcome) {
  switch (refusal) {
    case Refusal::at_open:
      return outcome.refused_by("open");
    case Refusal::by_model:
      return outcome.refused_by("model");
    case Refusal::by_tokenizer:
      return outcome.refused_by("tokenizer");
    case Refusal::not_required:
      return true;
  }
  return false;
}

// "": all is well. Parsing may take 2 times the file + 64 MiB, without the copy of the file that
// from_bytes makes.
std::string complaint_about(const Malformed& m, const Outcome& outcome) {
  const auto file = static_cast<int64_t>(m.bytes.size());
  if (!outcome.complaint.empty()) return outcome.complaint;
  if (!satisfied(m.refusal, outcome)) return "is not refused";
  if (outcome.peak_bytes - file > 2 * file + (int64_t{64} << 20))
    return fmt::format("takes {} bytes for a file of {}", outcome.peak_bytes, file);
  return "";
}

TEST(Malformed, files_to_start_from_are_right) {
  for (const Base& base : malformed_bases()) {
    const auto outcome = run_stages(put_together(base.file).bytes);
    EXPECT_FALSE(outcome.refusals.contains("open"));
    for (const Stage& stage : stages())
      EXPECT_EQ(outcome.refusals.contains(stage.name), stage.needs_weights && !base.has_weights())
          << base.name << " " << stage.name;
  }
}

// All of them take minutes under sanitizers: in parts, which can run side by side.
constexpr int kParts = 4;
class MalformedParts : public ::testing::TestWithParam<int> {};

TEST_P(MalformedParts, every_file_is_refused_with_a_reason_or_harmless) {
  ::signal(SIGALRM, on_alarm);
  std::map<std::string, int> counts;
  int index = 0;
  for_each_malformed([&](const Malformed& m) {
    if (index++ % kParts != GetParam()) return;
    *fmt::format_to_n(current, sizeof current - 1, "{}", m.what).out = '\0';
    ::alarm(kHangSeconds);
    const Outcome outcome = run_stages(m.bytes);
    ::alarm(0);
    const bool harmless = outcome.refusals.empty();
    ++counts["all"];
    ++counts[harmless                     ? "harmless"
             : outcome.refused_by("open") ? "refused when opened"
                                          : "refused by a stage"];
    const std::string complaint = complaint_about(m, outcome);
    if (!complaint.empty() && ++counts["wrong"] <= kMostReports)
      ADD_FAILURE() << m.what << ": " << complaint;
  });
  EXPECT_EQ(counts["wrong"], 0);
  EXPECT_GE(counts["all"], 3000 / kParts);
  EXPECT_GE(counts["refused when opened"], 1000 / kParts);
  EXPECT_GE(counts["refused by a stage"], 500 / kParts);
  EXPECT_GE(counts["harmless"], 100 / kParts);
  for (const auto& [what, count] : counts) fmt::print("{}: {}\n", what, count);
}

INSTANTIATE_TEST_SUITE_P(Malformed, MalformedParts, ::testing::Range(0, kParts));

}  // namespace
}  // namespace plumb::test
