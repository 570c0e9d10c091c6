#pragma once
// Hashing for the tables of the tokenizer. Vocabularies and texts come from outside, so a
// per-process seed keeps anybody from choosing keys that collide.

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace plumb {

uint64_t hash_seed();  // drawn once per process

// Folds a 64 x 64 -> 128 bit product: every bit of both factors reaches the result.
inline uint64_t hash_mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t load_bytes(const char* p, size_t n) {
  uint64_t v = 0;
  std::memcpy(&v, p, n);
  return v;
}

inline uint64_t hash_bytes(std::string_view s, uint64_t seed) {
  constexpr uint64_t kOdd = 0x9E3779B97F4A7C15, kOther = 0xC2B2AE3D27D4EB4F;
  const char* p = s.data();
  size_t n = s.size();
  uint64_t h = seed ^ (n * kOdd);
  for (; n > 16; p += 16, n -= 16)
    h = hash_mix(load_bytes(p, 8) ^ h, load_bytes(p + 8, 8) ^ kOther);
  if (n >= 8) return hash_mix(load_bytes(p, 8) ^ h, load_bytes(p + n - 8, 8) ^ kOther);
  if (n >= 4) return hash_mix(load_bytes(p, 4) << 32 ^ load_bytes(p + n - 4, 4) ^ h, kOther);
  uint64_t tail = 0;
  for (size_t i = 0; i < n; ++i) tail = tail << 8 | static_cast<unsigned char>(p[i]);
  return hash_mix(tail ^ h, kOther);
}

// a == b for strings of a few bytes, without a call.
inline bool same_bytes(std::string_view a, std::string_view b) {
  const size_t n = a.size();
  if (n != b.size()) return false;
  const char *p = a.data(), *q = b.data();
  if (n >= 8) {
    for (size_t i = 0; i + 8 < n; i += 8)
      if (load_bytes(p + i, 8) != load_bytes(q + i, 8)) return false;
    return load_bytes(p + n - 8, 8) == load_bytes(q + n - 8, 8);
  }
  if (n >= 4)
    return load_bytes(p, 4) == load_bytes(q, 4) &&
           load_bytes(p + n - 4, 4) == load_bytes(q + n - 4, 4);
  for (size_t i = 0; i < n; ++i)
    if (p[i] != q[i]) return false;
  return true;
}

inline uint64_t hash_pair(uint64_t key, uint64_t seed) {
  return hash_mix(key ^ seed, 0x9E3779B97F4A7C15);
}

// Slots of an open-addressing table that holds n entries at most half full.
inline size_t table_slots(size_t n) {
  return std::bit_ceil(2 * n + 2);
}

}  // namespace plumb
