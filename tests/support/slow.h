#pragma once
// Sanitizers and emulation make everything ten times slower: tests that compute a lot do less
// there, or leave it to the release build.

namespace plumb::test {

#if defined(__has_feature)
#define PLUMB_HAS_SANITIZER(name) __has_feature(name)
#else
#define PLUMB_HAS_SANITIZER(name) 0
#endif

#if defined(__SANITIZE_THREAD__) || PLUMB_HAS_SANITIZER(thread_sanitizer)
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif

#if defined(__SANITIZE_ADDRESS__) || PLUMB_HAS_SANITIZER(address_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = kThreadSanitizer;
#endif

#if defined(PLUMB_EMULATED)
inline constexpr bool kSlow = true;
#else
inline constexpr bool kSlow = kSanitized;
#endif

#undef PLUMB_HAS_SANITIZER

}  // namespace plumb::test
