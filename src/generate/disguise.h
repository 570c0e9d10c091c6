#pragma once
// Carries the texts of a conversation through a template as valid UTF-8 in which no control token
// can be read. A block of 256 private code points that none of the texts uses stands for what must
// not be seen on the way: one marks a place that no control token may cross, the others stand for
// bytes that are not UTF-8. Afterwards the marks become borders and the bytes bytes again.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace plumb {

class Disguise {
 public:
  // Error: the texts use every block (they were made for that).
  Disguise(const Tokenizer& tokenizer, const std::vector<std::string_view>& texts);

  // hide_control: with a mark inside everything that reads like a control token.
  std::string put_on(std::string_view text, bool hide_control) const;

  struct Uncovered {
    std::string text;
    std::vector<size_t> borders;  // rising offsets
  };
  Uncovered take_off(std::string_view rendered) const;

 private:
  bool starts_control_token(std::string_view text) const;
  std::string code_point(uint8_t low) const;
  int low_byte_at(std::string_view text) const;

  uint32_t block_;                                // the code points' upper bits
  std::vector<std::string_view> control_tokens_;  // sorted
};

}  // namespace plumb
