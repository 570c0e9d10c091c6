#pragma once
// The limits of this machine by number of threads: what it reads from memory and what it multiplies
// and adds, per second. Measured in a few seconds; kept as a small JSON file per machine, because
// people want to know them more often than they change.

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/processor.h"
#include "measure/peaks.h"

namespace plumb {

struct ProbeRow {
  int threads;
  double read_gbps;                  // 10^9 bytes per second
  double dot8_gmacs, f32_gmacs;      // 10^9 multiply-adds per second
  std::optional<double> bf16_gmacs;  // none: no instruction for it
  // Of the processors meanwhile, as in MachineState; none: not told.
  std::optional<double> others_share = {}, steal_share = {};
  // Something else ran: less than the machine can.
  bool is_disturbed() const;
};
// The better of both in each figure, and the state of the quieter time.
ProbeRow better_of(const ProbeRow& a, const ProbeRow& b);

struct Probe {
  std::string processor;
  int processors = 0;  // that this process may use
  int64_t time = 0;    // seconds since 1970
  std::vector<Cache> caches;
  std::string dot8, bf16, f32;  // instructions; bf16 "": none
  std::vector<ProbeRow> rows;   // 1, 2, 4, ... threads and one for each processor
};

// A row during which the machine was busy is measured up to three times. progress: called before
// each row.
Probe measure_probe(const std::function<void(int threads)>& progress = {});

// A file name for the machine: the same processor and number of them, the same name.
std::string probe_file_name(const std::string& processor, int processors);

nlohmann::ordered_json to_json(const Probe& probe);
// Error (naming `what`): not such an object.
Probe parse_probe(std::string_view text, std::string_view what);

}  // namespace plumb
