// The automaton of all special strings, and the choice among what it finds.
#include "text/special_matcher.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <queue>

#include "base/error.h"

namespace plumb {

size_t SpecialMatcher::count_nodes(std::vector<SpecialString>& strings) {
  std::ranges::sort(strings, {}, &SpecialString::text);
  size_t nodes = 1;
  std::string_view before;
  for (const auto& s : strings) {
    const auto differ = std::ranges::mismatch(before, s.text);
    nodes += static_cast<size_t>(s.text.end() - differ.in2);
    before = s.text;
  }
  return nodes;
}

SpecialMatcher::SpecialMatcher(std::vector<SpecialString> strings) {
  const size_t n_nodes = count_nodes(strings);
  CHECK(strings.size() <= kMaxStrings && n_nodes <= kMaxNodes, "{} strings, {} nodes",
        strings.size(), n_nodes);
  if (strings.empty()) return;
  nodes_.reserve(n_nodes + 1);
  build_trie(strings);
  build_links();
  strings_.reserve(strings.size());
  for (const auto& s : strings) strings_.push_back({static_cast<uint32_t>(s.text.size()), s.id});
}

// Breadth first over the sorted strings: a node is a range of strings that share their first
// `depth` bytes.
void SpecialMatcher::build_trie(const std::vector<SpecialString>& strings) {
  struct Range {
    uint32_t begin, end, depth;
  };
  std::deque<Range> ranges = {{0, static_cast<uint32_t>(strings.size()), 0}};  // of nodes to come
  nodes_.push_back({});
  for (size_t i = 0; !ranges.empty(); ++i) {
    uint32_t begin = ranges[0].begin;
    const uint32_t end = ranges[0].end, depth = ranges[0].depth;
    ranges.pop_front();
    nodes_[i].first_child = static_cast<uint32_t>(nodes_.size());
    if (strings[begin].text.size() == depth) nodes_[i].string = static_cast<int32_t>(begin++);
    while (begin < end) {
      const char byte = strings[begin].text[depth];
      const auto other = [&](const SpecialString& s) { return s.text[depth] != byte; };
      const auto first = strings.begin() + begin, last = strings.begin() + end;
      const auto stop = static_cast<uint32_t>(std::find_if(first, last, other) - strings.begin());
      nodes_.push_back({.byte = static_cast<uint8_t>(byte)});
      ranges.push_back({begin, stop, depth + 1});
      begin = stop;
    }
  }
  nodes_.push_back({.first_child = static_cast<uint32_t>(nodes_.size())});
}

// Parents come before children, and a fallback is shorter than its node: one pass in order has all
// it needs.
void SpecialMatcher::build_links() {
  std::vector<uint32_t> chain(nodes_.size());  // lengths of the chains of `shorter`
  for (uint32_t node = 0; node + 1 < nodes_.size(); ++node)
    for (uint32_t c = nodes_[node].first_child; c < nodes_[node + 1].first_child; ++c)
      link(c, node, chain);
  for (uint32_t c = nodes_[0].first_child; c < nodes_[1].first_child; ++c)
    starts_[nodes_[c].byte] = true;
}

// Jump pointers (Myers 1983): from a chain of length n one skips to one of about n/2, or by one.
void SpecialMatcher::link(uint32_t node, uint32_t parent, std::vector<uint32_t>& chain) {
  Node& n = nodes_[node];
  n.fallback = parent == 0 ? 0 : step(nodes_[parent].fallback, n.byte);
  n.shorter = nodes_[n.fallback].string >= 0 ? n.fallback : nodes_[n.fallback].shorter;
  chain[node] = chain[n.shorter] + 1;
  const uint32_t next = nodes_[n.shorter].skip;
  const bool even = chain[n.shorter] - chain[next] == chain[next] - chain[nodes_[next].skip];
  n.skip = even ? nodes_[next].skip : n.shorter;
}

uint32_t SpecialMatcher::child(uint32_t node, uint8_t byte) const {
  const auto first = nodes_.begin() + nodes_[node].first_child;
  const auto last = nodes_.begin() + nodes_[node + 1].first_child;
  const auto it =
      std::lower_bound(first, last, byte, [](const Node& n, uint8_t b) { return n.byte < b; });
  return it != last && it->byte == byte ? static_cast<uint32_t>(it - nodes_.begin()) : 0;
}

uint32_t SpecialMatcher::step(uint32_t node, uint8_t byte) const {
  for (;; node = nodes_[node].fallback) {
    if (const uint32_t next = child(node, byte)) return next;
    if (node == 0) return 0;
  }
}

// The longest string of at most `length` bytes that ends where `node` does; 0: none.
uint32_t SpecialMatcher::no_longer_than(uint32_t node, size_t limit) const {
  const auto too_long = [&](uint32_t n) { return n != 0 && length(n) > limit; };
  if (nodes_[node].string < 0) node = nodes_[node].shorter;
  while (too_long(node))
    node = too_long(nodes_[node].skip) ? nodes_[node].skip : nodes_[node].shorter;
  return node;
}

// The longest string that ends at each position, where there is one.
std::vector<SpecialMatcher::Candidate> SpecialMatcher::candidates(std::string_view text) const {
  std::vector<Candidate> out;
  uint32_t node = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (node == 0)
      while (!starts_[static_cast<uint8_t>(text[i])])
        if (++i == text.size()) return out;
    node = step(node, static_cast<uint8_t>(text[i]));
    if (const uint32_t longest = no_longer_than(node, text.size())) out.push_back({i + 1, longest});
  }
  return out;
}

// Candidates are taken in the order of the rule. One that overlaps a taken match gives way to the
// longest string that ends at the same place and fits, and queues again. A match of n bytes can
// disturb at most n candidates that end behind it and swallow n that end inside it, so the queue
// sees O(text) entries.
std::vector<SpecialMatch> SpecialMatcher::find(std::string_view text) const {
  if (strings_.empty()) return {};
  const auto later = [&](const Candidate& a, const Candidate& b) {
    const auto key = [&](const Candidate& c) {
      const String& s = string_at(c.node);
      return std::tuple(text.size() - s.length, s.id, c.end);
    };
    return key(a) > key(b);
  };
  std::priority_queue queue(later, candidates(text));
  std::map<size_t, SpecialMatch> taken;  // by begin
  while (!queue.empty()) {
    const auto [end, node] = queue.top();
    queue.pop();
    const size_t begin = end - length(node);
    const auto after = taken.lower_bound(end);
    const size_t free_from = after == taken.begin() ? 0 : std::prev(after)->second.end;
    if (free_from <= begin)
      taken.emplace(begin, SpecialMatch{begin, end, string_at(node).id});
    else if (free_from < end)
      if (const uint32_t fits = no_longer_than(node, end - free_from)) queue.push({end, fits});
  }
  std::vector<SpecialMatch> out;
  for (const auto& [_, match] : taken) out.push_back(match);
  return out;
}

}  // namespace plumb
