#pragma once
// What the vocabularies that mark spaces with U+2581 share: cutting at the marks, and spelling
// bytes with byte tokens.

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "text/vocabulary.h"

namespace plumb {

// The places where marked text may be cut before it is merged without changing the result: before a
// run of marks, unless some token or merge joins the byte in front of it with a mark. Words are
// short and repeat; whole texts are not and do not.
class MarkCuts {
 public:
  void join(std::string_view left, std::string_view right);  // these two may become one symbol
  void join_within(std::string_view token);                  // all parts of the token may

  size_t word_length(std::string_view text) const;  // of the first word of `text` (not empty)

 private:
  std::bitset<256> joined_;  // last bytes of what a mark may be joined to
};

// What stands for a symbol that is no token: the tokens of its bytes, <0xNN> or in their absence
// the byte itself. Where one is missing, the unknown token if there is one; otherwise what there
// is.
class ByteTokens {
 public:
  ByteTokens(const Vocabulary& vocabulary, std::optional<int32_t> unknown);
  void append(std::string_view symbol, std::vector<int32_t>& ids) const;

 private:
  std::array<int32_t, 256> ids_{};  // -1: none
  std::optional<int32_t> unknown_;
};

}  // namespace plumb
