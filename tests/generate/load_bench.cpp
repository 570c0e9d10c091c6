// Loading a model, all that comes before its first token, beside copying its file once into fresh
// memory by as many threads. The file's pages are in memory already, and its mapping is new each
// time, as for a process that starts.
//   PLUMB_MODEL=model.gguf build/release/tests/generate/generate_bench
//       --benchmark_repetitions=7 --benchmark_enable_random_interleaving=true

#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/file.h"
#include "base/memory.h"
#include "base/thread_pool.h"
#include "generate/engine.h"

namespace plumb {
namespace {

// Times f(path, threads), which returns what is then taken down untimed.
void measure(benchmark::State& state, const auto& f) {
  const char* const path = std::getenv("PLUMB_MODEL");
  if (!path) return state.SkipWithError("expected a file in PLUMB_MODEL, got none");
  using Clock = std::chrono::steady_clock;
  for (auto _ : state) {
    const auto start = Clock::now();
    const auto kept = f(path, static_cast<int>(state.range(0)));
    state.SetIterationTime(std::chrono::duration<double>(Clock::now() - start).count());
  }
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(std::filesystem::file_size(path)));
}

void load(benchmark::State& state) {
  measure(state, [](const char* path, int n_threads) {
    EngineOptions options;
    options.backend.n_threads = n_threads;
    return std::make_unique<Engine>(path, options);
  });
}

void copy(benchmark::State& state) {
  measure(state, [](const char* path, int n_threads) {
    const MappedFile file(path);
    const auto bytes = file.bytes();
    AnonymousMemory memory(static_cast<int64_t>(bytes.size()));
    ::madvise(memory.data(), bytes.size(), MADV_HUGEPAGE);
    ThreadPool(n_threads).run([&](size_t thread, size_t n) {
      const size_t begin = bytes.size() * thread / n, end = bytes.size() * (thread + 1) / n;
      std::memcpy(memory.data() + begin, bytes.data() + begin, end - begin);
    });
    return memory;
  });
}

#define LOAD_BENCHMARK(f) \
  BENCHMARK(f)->ArgName("threads")->Arg(1)->Arg(2)->UseManualTime()->Unit(benchmark::kMillisecond)
LOAD_BENCHMARK(load);
LOAD_BENCHMARK(copy);

}  // namespace
}  // namespace plumb
