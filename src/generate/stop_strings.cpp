#include "generate/stop_strings.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace plumb {

StopStrings::StopStrings(const std::vector<std::string>& strings) {
  for (const std::string& s : strings) {
    if (s.empty() || !is_utf8(s))
      fail("stop string: expected UTF-8 text, one byte at least, got {}", quoted(s));
    Automaton a{s, {0}};
    for (size_t i = 1; i < s.size(); ++i) {
      a.advance(s[i]);
      a.fallback.push_back(a.matched);
    }
    a.matched = 0;
    automata_.push_back(std::move(a));
  }
}

// Never called with a complete match, so text[matched] is there.
void StopStrings::Automaton::advance(char byte) {
  while (matched > 0 && text[matched] != byte) matched = fallback[matched - 1];
  if (text[matched] == byte) ++matched;
}

std::string StopStrings::add(std::string_view text) {
  if (stopped_) return {};
  size_t maybe = 0;  // bytes at the end that may start (or are) a stop string
  for (const char byte : text) {
    held_ += byte;
    size_t complete = 0;
    for (Automaton& a : automata_) {
      a.advance(byte);
      if (a.matched == a.text.size()) complete = std::max(complete, a.matched);
    }
    if (complete == 0) continue;
    stopped_ = true;
    held_.resize(held_.size() - complete);
    return std::exchange(held_, {});
  }
  for (const Automaton& a : automata_) maybe = std::max(maybe, a.matched);
  std::string certain = held_.substr(0, held_.size() - maybe);
  held_.erase(0, certain.size());
  return certain;
}

std::string StopStrings::flush() {
  return std::exchange(held_, {});
}

}  // namespace plumb
