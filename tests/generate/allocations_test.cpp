// The sampler allocates nothing per token. The counting allocator is alone in this file, so that
// the compiler cannot inline it into code that it then suspects of mixing malloc and delete.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "generate/sampler.h"

namespace {
std::atomic<int64_t> g_allocations{0};

void* counted(size_t bytes) {
  ++g_allocations;
  if (void* p = std::malloc(bytes)) return p;
  throw std::bad_alloc();
}
}  // namespace

// All of the unaligned ones, because sanitizers bring their own and mind when the two are mixed.
[[gnu::noinline]] void* operator new(size_t bytes) {
  return counted(bytes);
}
[[gnu::noinline]] void* operator new[](size_t bytes) {
  return counted(bytes);
}
[[gnu::noinline]] void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  ++g_allocations;
  return std::malloc(bytes);
}
[[gnu::noinline]] void* operator new[](size_t bytes, const std::nothrow_t&) noexcept {
  ++g_allocations;
  return std::malloc(bytes);
}
[[gnu::noinline]] void operator delete(void* p) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete[](void* p) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete[](void* p, size_t) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, const std::nothrow_t&) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete[](void* p, const std::nothrow_t&) noexcept {
  std::free(p);
}

namespace plumb {
namespace {

TEST(Sampler, AllocatesNothingPerToken) {
  const int n = 150000;
  std::vector<float> logits(n);
  for (size_t i = 0; i < logits.size(); ++i)
    logits[i] = static_cast<float>(i * 2654435761u % 1000003u) * 1e-5f;
  SamplerOptions defaults, penalties, all, greedy;
  penalties.repeat_penalty = 1.1f;
  penalties.presence_penalty = 0.1f;
  penalties.logit_bias = {{3, 1.0f}};
  all.top_k = 0;
  greedy.temperature = 0;
  for (const SamplerOptions& o : {defaults, penalties, all, greedy}) {
    Sampler sampler(o, n, 4096);
    const int64_t before = g_allocations;
    EXPECT_GT(before, 0) << "the counter counts";
    for (int i = 0; i < 5; ++i) sampler.accept(sampler.sample(logits));
    EXPECT_EQ(g_allocations - before, 0);
  }
}

}  // namespace
}  // namespace plumb
