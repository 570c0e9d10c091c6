// How fast rows become panels, on one thread: from memory into memory, as when a model is loaded,
// and from memory into a piece that stays in the cache, as with --no-repack. copy is memcpy of as
// many bytes the same way. Rows of 2048 columns.
//   build/release/tests/backend/backend_bench --benchmark_filter=pack

#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <vector>

#include "backend/cpu/panel.h"

namespace plumb {
namespace {

constexpr int64_t kColumns = 2048, kMemory = int64_t{128} << 20;

// f(from, to) for every panel of 16 rows of `bytes` bytes.
void for_panels(benchmark::State& state, int64_t bytes, bool in_cache, const auto& f) {
  const int64_t n = kMemory / bytes;
  const std::vector<uint8_t> from(static_cast<size_t>(n * bytes), 0x5a);
  std::vector<uint8_t> to(static_cast<size_t>(in_cache ? bytes : n * bytes));
  for (auto _ : state)
    for (int64_t p = 0; p < n; ++p) {
      f(from.data() + p * bytes, to.data() + (in_cache ? 0 : p * bytes));
      benchmark::ClobberMemory();
    }
  state.SetBytesProcessed(state.iterations() * n * bytes);
}

void pack(benchmark::State& state, Format format, bool in_cache) {
  for_panels(state, cpu::panel_bytes(format, kColumns), in_cache,
             [&](const uint8_t* from, uint8_t* to) {
               cpu::pack_panel(format, from, cpu::kPanelRows, kColumns, to);
             });
}

void copy(benchmark::State& state, bool in_cache) {
  constexpr int64_t kBytes = 20 << 10;
  for_panels(state, kBytes, in_cache,
             [&](const uint8_t* from, uint8_t* to) { std::memcpy(to, from, kBytes); });
}

const bool kRegistered = [] {
  for (const bool in_cache : {false, true}) {
    const std::string where = in_cache ? "/cache" : "/memory";
    benchmark::RegisterBenchmark(("copy" + where).c_str(), copy, in_cache);
    for (const FormatInfo& info : all_formats())
      if (cpu::has_panels(info.format))
        benchmark::RegisterBenchmark(("pack" + where + "/" + std::string(info.name)).c_str(), pack,
                                     info.format, in_cache);
  }
  return true;
}();

}  // namespace
}  // namespace plumb
