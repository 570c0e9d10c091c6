#pragma once
// Four rows of a block at a time between the file and a panel: their words stand in a register
// each way, and the bits that change places between words do so for four rows at once. Plain
// vectors of 16 bytes, which every machine has.

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "backend/cpu/matrix.h"

namespace plumb::cpu {

template <typename T>
using Vector __attribute__((vector_size(16))) = T;
using Words = Vector<uint32_t>;

// a0 b0 a1 b1 ... of the lower halves of a and b, and of the upper ones
template <typename T>
Words interleave_low(Words a, Words b) {
  constexpr int n = 16 / sizeof(T);
  return [&]<int... i>(std::integer_sequence<int, i...>) {
    return reinterpret_cast<Words>(__builtin_shufflevector(
        reinterpret_cast<Vector<T>>(a), reinterpret_cast<Vector<T>>(b), (i % 2 * n + i / 2)...));
  }
  (std::make_integer_sequence<int, n>());
}
template <typename T>
Words interleave_high(Words a, Words b) {
  constexpr int n = 16 / sizeof(T);
  return [&]<int... i>(std::integer_sequence<int, i...>) {
    return reinterpret_cast<Words>(__builtin_shufflevector(reinterpret_cast<Vector<T>>(a),
                                                           reinterpret_cast<Vector<T>>(b),
                                                           (i % 2 * n + n / 2 + i / 2)...));
  }
  (std::make_integer_sequence<int, n>());
}

// 16 bytes of each of four rows -> value by value of four rows, for values of the size of T.
template <typename T>
void side_by_side(Words* w) {
  using Pair = std::conditional_t<sizeof(T) == 1, uint16_t,
                                  std::conditional_t<sizeof(T) == 2, uint32_t, uint64_t>>;
  const Words a = interleave_low<T>(w[0], w[1]), b = interleave_low<T>(w[2], w[3]),
              c = interleave_high<T>(w[0], w[1]), d = interleave_high<T>(w[2], w[3]);
  w[0] = interleave_low<Pair>(a, b);
  w[1] = interleave_high<Pair>(a, b);
  w[2] = interleave_low<Pair>(c, d);
  w[3] = interleave_high<Pair>(c, d);
}
inline void transpose(Words* w) {
  side_by_side<uint32_t>(w);
}

// In all runs of 2 n bits of a byte: the upper n bits of a change places with the lower n of b.
template <int n>
void exchange(Words& a, Words& b) {
  constexpr uint32_t kLower = n == 4 ? 0x0f0f0f0f : n == 2 ? 0x33333333 : 0x55555555;
  const Words moved = ((a >> n) ^ b) & kLower;
  b ^= moved;
  a ^= moved << n;
}

// Bits a and b (a > b) of every bit's place in its word are exchanged.
template <int a, int b>
Words exchange_places(Words w) {
  constexpr int kDistance = (1 << a) - (1 << b);
  constexpr uint32_t kLower = [] {
    uint32_t mask = 0;
    for (uint32_t i = 0; i < 32; ++i)
      if ((i >> a & 1) == 0 && (i >> b & 1) == 1) mask |= 1u << i;
    return mask;
  }();
  const Words moved = ((w >> kDistance) ^ w) & kLower;
  return w ^ moved ^ (moved << kDistance);
}

enum class Way { pack, unpack };

// The first bytes of the blocks of rows first_row to first_row + 3 in the file, and the unit of the
// panel that they share. A line is where 16 rows of a value begin in the unit.
template <Way way>
struct FourRows {
  static constexpr bool kPacks = way == Way::pack;
  using FileByte = std::conditional_t<kPacks, const uint8_t, uint8_t>;
  using UnitByte = std::conditional_t<kPacks, uint8_t, const uint8_t>;

  FileByte* rows[4];
  UnitByte* unit;
  int first_row;

  // n values of T, of which number k has the line k lines of T further on.
  template <typename T, int n>
  void values(int file_at, int line) const {
    constexpr int kSize = sizeof(T), kLine = kPanelRows * kSize;
    UnitByte* const first = unit + line + first_row * kSize;
    if constexpr (kPacks && n > 1) {
      Words w[4] = {};
      for (int r = 0; r < 4; ++r) std::memcpy(&w[r], rows[r] + file_at, n * kSize);
      side_by_side<T>(w);
      for (int k = 0; k < n; ++k)
        std::memcpy(first + k * kLine, reinterpret_cast<const uint8_t*>(w) + k * 4 * kSize,
                    4 * kSize);
      return;
    }
    for (int r = 0; r < 4; ++r)
      for (int k = 0; k < n; ++k)
        copy<kSize>(rows[r] + file_at + k * kSize, first + k * kLine + r * kSize);
  }

  // n words, of which number i has the line line(i). `turn` moves bits between the n; done twice it
  // changes nothing, so that it serves both ways.
  template <int n>
  void words(int file_at, const auto& turn, const auto& line) const {
    static_assert(n % 4 == 0);
    Words w[n];
    for (int i = 0; i < n; ++i) {
      if constexpr (kPacks)
        std::memcpy(&w[i], rows[i % 4] + file_at + i / 4 * 16, 16);
      else
        std::memcpy(&w[i], unit + line(i) + first_row * 4, 16);
    }
    if constexpr (kPacks)
      for (int i = 0; i < n; i += 4) transpose(w + i);
    turn(w);
    if constexpr (!kPacks)
      for (int i = 0; i < n; i += 4) transpose(w + i);
    for (int i = 0; i < n; ++i) {
      if constexpr (kPacks)
        std::memcpy(unit + line(i) + first_row * 4, &w[i], 16);
      else
        std::memcpy(rows[i % 4] + file_at + i / 4 * 16, &w[i], 16);
    }
  }

  // One word, whose bits `turn` moves.
  void word(int file_at, const auto& turn, int line) const {
    Words w;
    UnitByte* const at = unit + line + first_row * 4;
    if constexpr (kPacks) {
      for (int r = 0; r < 4; ++r) {
        uint32_t one;
        std::memcpy(&one, rows[r] + file_at, 4);
        w[r] = one;
      }
      w = turn(w);
      std::memcpy(at, &w, 16);
    } else {
      std::memcpy(&w, at, 16);
      w = turn(w);
      for (int r = 0; r < 4; ++r) {
        const uint32_t one = w[r];
        std::memcpy(rows[r] + file_at, &one, 4);
      }
    }
  }

 private:
  template <int n>
  static void copy(FileByte* in_file, UnitByte* in_unit) {
    if constexpr (kPacks)
      std::memcpy(in_unit, in_file, n);
    else
      std::memcpy(in_file, in_unit, n);
  }
};

}  // namespace plumb::cpu
