// libFuzzer target: any bytes as results for `compare` and as a kept probe. What is accepted is
// compared with itself: no difference, whatever the numbers.

#include <algorithm>

#include "base/error.h"
#include "measure/compare.h"
#include "measure/probe.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto results = plumb::parse_results(text, "fuzz");
    const plumb::Comparison same = plumb::compare_results(results, results);
    CHECK(same.verdict() == plumb::Verdict::no_difference, "{}", plumb::to_text(same));
    plumb::to_json(same).dump();
  } catch (const plumb::Error&) {
  }
  try {
    plumb::to_json(plumb::parse_probe(text, "fuzz")).dump();
  } catch (const plumb::Error&) {
  }
  return 0;
}
