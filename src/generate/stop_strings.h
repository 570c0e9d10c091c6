#pragma once
// Ends a stream of text before the first stop string in it, wherever the borders of the pieces
// fall. What may still turn out to be the start of a stop string is held back, and no more than
// that. One Knuth-Morris-Pratt automaton per string: the work is linear in the text, whatever the
// strings.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

class StopStrings {
 public:
  // Error: a string that is empty or not UTF-8 (it could cut a character in two).
  explicit StopStrings(const std::vector<std::string>& strings);

  // The text that is certain now. "First" is the string that is complete first; of those complete
  // at the same byte, the longest. After that, nothing more comes.
  std::string add(std::string_view text);
  // At the end of the stream: what was held back.
  std::string flush();

  bool stopped() const { return stopped_; }

 private:
  struct Automaton {
    std::string text;
    std::vector<size_t> fallback;  // [i]: longest proper prefix of text that ends text[0..i]
    size_t matched = 0;            // bytes of text that the stream ends with
    void advance(char byte);
  };
  std::vector<Automaton> automata_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace plumb
