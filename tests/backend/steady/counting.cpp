#include "backend/steady/counting.h"

#include <atomic>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PLUMB_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PLUMB_SANITIZED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(PLUMB_SANITIZED)

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace {

std::atomic<bool> counting{false};
std::atomic<int64_t> allocations{0}, locks{0};

void count(std::atomic<int64_t>& what) {
  if (counting.load(std::memory_order_relaxed)) what.fetch_add(1, std::memory_order_relaxed);
}

// The next definition of a function after this program's.
template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t n) noexcept {
  count(allocations);
  return __libc_malloc(n);
}
void* calloc(size_t n, size_t size) noexcept {
  count(allocations);
  return __libc_calloc(n, size);
}
void* realloc(void* p, size_t n) noexcept {
  count(allocations);
  return __libc_realloc(p, n);
}
void* aligned_alloc(size_t alignment, size_t n) noexcept {
  count(allocations);
  return __libc_memalign(alignment, n);
}
int posix_memalign(void** p, size_t alignment, size_t n) noexcept {
  count(allocations);
  *p = __libc_memalign(alignment, n);
  return *p ? 0 : ENOMEM;
}

int pthread_mutex_lock(pthread_mutex_t* m) noexcept {
  static auto* const sound = next<int(pthread_mutex_t*)>("pthread_mutex_lock");
  count(locks);
  return sound(m);
}
int pthread_mutex_trylock(pthread_mutex_t* m) noexcept {
  static auto* const sound = next<int(pthread_mutex_t*)>("pthread_mutex_trylock");
  count(locks);
  return sound(m);
}
int pthread_rwlock_rdlock(pthread_rwlock_t* l) noexcept {
  static auto* const sound = next<int(pthread_rwlock_t*)>("pthread_rwlock_rdlock");
  count(locks);
  return sound(l);
}
int pthread_rwlock_wrlock(pthread_rwlock_t* l) noexcept {
  static auto* const sound = next<int(pthread_rwlock_t*)>("pthread_rwlock_wrlock");
  count(locks);
  return sound(l);
}
int pthread_cond_wait(pthread_cond_t* c, pthread_mutex_t* m) {
  static auto* const sound = next<int(pthread_cond_t*, pthread_mutex_t*)>("pthread_cond_wait");
  count(locks);
  return sound(c, m);
}

}  // extern "C"

namespace plumb::test {

bool can_count() {
  return true;
}

Counts count_calls(const std::function<void()>& f) {
  allocations = 0;
  locks = 0;
  counting = true;
  f();
  counting = false;
  return {allocations, locks};
}

namespace {

// A harmless call whose unused argument says where counting begins and ends.
constexpr uint64_t kBegin = 0x706c756d62, kEnd = kBegin + 1;
void mark(uint64_t where) {
  syscall(SYS_getppid, where);
}

constexpr int kMayNotTrace = 77;

[[noreturn]] void be_traced(int times, const Prepare& prepare) {
  if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(kMayNotTrace);
  raise(SIGSTOP);
  const auto run = prepare();
  for (int i = 0; i < times; ++i) {
    run();
    mark(kBegin);
    run();
    mark(kEnd);
  }
  _exit(0);
}

class Tracer {
 public:
  Tracer(pid_t child, int times) : child_(child), times_(times) {}

  std::optional<Traced> trace() {
    int status = 0;
    if (waitpid(child_, &status, 0) != child_ || !WIFSTOPPED(status)) return {};
    constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SETOPTIONS, child_, nullptr, kOptions) != 0) return {};
    resume(child_, 0);
    for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
      if (WIFSTOPPED(status))
        stopped(pid, WSTOPSIG(status));
      else if (pid == child_)
        traced_.ran_to_the_end = ended_ == times_ && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    return traced_;
  }

 private:
  static void resume(pid_t pid, int signal) { ptrace(PTRACE_SYSCALL, pid, nullptr, signal); }

  void stopped(pid_t pid, int signal) {
    if (signal == (SIGTRAP | 0x80)) note_call(pid);
    // Stops that tracing itself makes are not signals of the child.
    const bool own = signal == (SIGTRAP | 0x80) || signal == SIGTRAP || signal == SIGSTOP;
    resume(pid, own ? 0 : signal);
  }

  void note_call(pid_t pid) {
    __ptrace_syscall_info info{};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_ENTRY)
      return;
    const bool marks = info.entry.nr == SYS_getppid;
    if (marks && info.entry.args[0] == kEnd) {
      ++ended_;
      counts_ = false;
      if (calls_ == 0) ++traced_.runs_without_calls;
    }
    if (counts_) {
      ++calls_;
      ++traced_.calls[info.entry.nr];
    }
    if (marks && info.entry.args[0] == kBegin) {
      calls_ = 0;
      counts_ = true;
    }
  }

  pid_t child_;
  const int times_;
  bool counts_ = false;
  int64_t calls_ = 0;  // of this run
  int ended_ = 0;      // runs
  Traced traced_;
};

}  // namespace

std::optional<Traced> trace_system_calls(int times, const Prepare& prepare) {
  const pid_t child = fork();
  if (child < 0) return {};
  if (child == 0) be_traced(times, prepare);
  return Tracer(child, times).trace();
}

}  // namespace plumb::test

#else

namespace plumb::test {

bool can_count() {
  return false;
}
Counts count_calls(const std::function<void()>& f) {
  f();
  return {};
}
std::optional<Traced> trace_system_calls(int, const Prepare&) {
  return {};
}

}  // namespace plumb::test

#endif
