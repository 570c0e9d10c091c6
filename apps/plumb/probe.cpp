// plumb probe: the limits of the machine, kept between runs.

#include "measure/probe.h"

#include <ctime>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/machine.h"
#include "base/text.h"
#include "command.h"
#include "measuring.h"
#include "model_folder.h"
#include "output.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kLargestFile = 1 << 20;

// None where there is none yet, or one that nobody can read any more: then it is measured again.
std::optional<Probe> kept_probe(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return std::nullopt;
  try {
    return parse_probe(read_file(file, kLargestFile), file.string());
  } catch (const Error& e) {
    warn("{}; measured again", printable(e.what()));
    return std::nullopt;
  }
}

// "": there is no folder for it.
fs::path file_to_keep() {
  const std::optional<fs::path> folder = model_folder_if_any();
  if (folder) return *folder / probe_file_name(processor_name(), usable_processors());
  warn("not kept: expected $PLUMB_CACHE or $HOME to say where, got neither");
  return {};
}

void keep(const Probe& probe, const fs::path& file) {
  try {
    fs::create_directories(file.parent_path());
    write_file(file, to_json(probe).dump(2) + "\n");
  } catch (const std::exception& e) {
    warn("not kept: {}", printable(e.what()));
  }
}

std::string age_text(int64_t seconds) {
  const auto many = [](int64_t n, const char* unit) {
    return fmt::format("{} {}{} ago", n, unit, n == 1 ? "" : "s");
  };
  if (seconds < 60) return "just now";
  if (seconds < 3600) return many(seconds / 60, "minute");
  if (seconds < 86400) return many(seconds / 3600, "hour");
  return many(seconds / 86400, "day");
}

std::string caches_text(const std::vector<Cache>& caches) {
  std::string out;
  for (const Cache& c : caches) {
    const char* kind = c.type == "Data" ? "d" : c.type == "Instruction" ? "i" : "";
    out += fmt::format("{}L{}{} {}", out.empty() ? "" : ", ", c.level, kind, human_bytes(c.bytes));
    if (c.shared_by > 1) out += fmt::format(" (shared by {})", c.shared_by);
  }
  return out.empty() ? "unknown" : out;
}

std::string to_text(const Probe& p, int64_t age) {
  std::string out = fmt::format("{}, {} processor{}\ncaches     {}\nmeasured   {}\n\n",
                                printable(p.processor), p.processors, p.processors == 1 ? "" : "s",
                                printable(caches_text(p.caches)), age_text(age));
  out += fmt::format("{:>7} {:>12} {:>14} {:>14} {:>14}\n", "threads", "read, GB/s", "dot8, GMAC/s",
                     "bf16, GMAC/s", "f32, GMAC/s");
  for (const ProbeRow& r : p.rows)
    out += fmt::format("{:>7} {:>12.1f} {:>14.1f} {:>14} {:>14.1f}\n", r.threads, r.read_gbps,
                       r.dot8_gmacs, r.bf16_gmacs ? fmt::format("{:.1f}", *r.bf16_gmacs) : "-",
                       r.f32_gmacs);
  for (const ProbeRow& r : p.rows)
    if (r.is_disturbed())
      out += fmt::format(
          "\ndisturbed: with {} thread{} other programs took {:.0f} % of the processors, the "
          "hypervisor {:.0f} %; --again measures anew",
          r.threads, r.threads == 1 ? "" : "s", 100 * r.others_share.value_or(0),
          100 * r.steal_share.value_or(0));
  return out + fmt::format("\ndot8 {}; {}f32 {}\n", printable(p.dot8),
                           p.bf16.empty() ? "" : "bf16 " + printable(p.bf16) + "; ",
                           printable(p.f32));
}

}  // namespace

int probe_command(std::vector<std::string> words) {
  bool json = false, again = false;
  Measuring measuring("probe", words);
  Arguments arguments("probe", "the limits of the machine: memory reads and multiply-adds",
                      "plumb probe --again");
  arguments.flag("--again", again, "measure, even where there is a result of earlier");
  measuring.attach(arguments);
  arguments.flag("--json", json, "the same as JSON");
  arguments.remark(
      "The result is kept beside the models, for this kind of processor and number of them.\n");
  if (!arguments.parse(words)) return 0;

  const fs::path file = file_to_keep();
  std::optional<Probe> probe = again || file.empty() ? std::nullopt : kept_probe(file);
  const bool kept = probe.has_value();
  if (!kept) {
    measuring.start();
    probe = measure_probe([](int n) { detail("{} threads", n); });
    if (!file.empty()) keep(*probe, file);
  }
  const int64_t age = std::max<int64_t>(0, static_cast<int64_t>(std::time(nullptr)) - probe->time);
  if (!json) return write_out(to_text(*probe, age)), 0;
  auto out = to_json(*probe);
  out["age_seconds"] = age;
  out["kept"] = kept;
  out["file"] = file.empty() ? nullptr : nlohmann::ordered_json(file.string());
  write_json(out);
  return 0;
}

}  // namespace plumb
