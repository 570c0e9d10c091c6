// The whole engine on several threads, at a size that the thread sanitizer can look at: a real
// model reads and answers, and one that answers is stopped by another thread.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "generate/generate.h"
#include "support/smollm2.h"
#include "support/temp_folder.h"
#include "support/tiny_model.h"

namespace plumb {
namespace {

EngineOptions on_threads(int n_threads) {
  return {.backend = {.name = "cpu", .n_threads = n_threads}, .plan = {.n_positions = 256}};
}

TEST(ShortGeneration, ARealModelOnThreeThreadsSaysWhatItSaysOnOne) {
  const auto path = test::smollm2_path();
  if (!exists(path)) GTEST_SKIP() << path << " is not there; ./run.sh fetches it";
  std::vector<std::vector<int32_t>> said;
  for (const int n_threads : {1, 3}) {
    Engine engine(path, on_threads(n_threads));
    Session session(engine);
    Sampler sampler = make_sampler(engine, {.seed = 1});
    const auto prompt = engine.tokenizer().encode("Once upon a time there was a mouse who");
    said.push_back(generate(session, sampler, prompt, {.max_tokens = 8}, [](auto) {}).ids);
  }
  EXPECT_EQ(said[0].size(), 8u);
  EXPECT_EQ(said[0], said[1]);
}

TEST(ShortGeneration, AnotherThreadStopsIt) {
  const test::TempFolder folder;
  test::tiny_llama().write(folder.path() / "tiny.gguf");
  Engine engine(folder.path() / "tiny.gguf", on_threads(2));
  Session session(engine);
  Sampler sampler = make_sampler(engine, {.temperature = 0}, /*ignore_eos=*/true);
  std::atomic<bool> started = false, stop = false;
  std::thread other([&] {
    started.wait(false);
    stop = true;
    stop.notify_one();
  });
  const Generation g = generate(session, sampler, std::vector<int32_t>{1, 200, 201},
                                {.stop_request = &stop}, [&](auto) {
                                  started = true;
                                  started.notify_one();
                                  stop.wait(false);
                                });
  started = true;  // should it have said nothing
  started.notify_one();
  other.join();
  EXPECT_EQ(g.stop, StopReason::interrupt) << stop_reason_name(g.stop);
}

}  // namespace
}  // namespace plumb
