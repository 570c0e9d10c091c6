#pragma once
// Finds special tokens in text. The rule is simple to say: take the special strings longest first
// (equal lengths: lower id first), and search each from left to right in what is still text. Doing
// just that costs strings times text; here all strings are found in one pass (Aho & Corasick 1975),
// and conflicts are settled in the order of the rule, in time n log n however the strings overlap.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace plumb {

struct SpecialString {
  std::string_view text;
  int32_t id;
};

struct SpecialMatch {
  size_t begin, end;  // bytes of the text
  int32_t id;
};

class SpecialMatcher {
 public:
  // Of the trie; 24 bytes each. The largest sets there are, 65,536 numbered tokens of sound, take a
  // third of it.
  static constexpr size_t kMaxNodes = 600'000;
  static constexpr size_t kMaxStrings = 400'000;

  SpecialMatcher() = default;
  // Strings are not empty and differ from each other; at most kMaxStrings and
  // kMaxNodes (CHECK: callers refuse such files). They need not outlive the constructor.
  explicit SpecialMatcher(std::vector<SpecialString> strings);

  // Bytes of all strings, common beginnings counted once, and the root. Sorts them.
  static size_t count_nodes(std::vector<SpecialString>& strings);

  // In order of position, not overlapping.
  std::vector<SpecialMatch> find(std::string_view text) const;

 private:
  struct Node {
    // Children of node i, sorted by byte, are [first_child, first_child of i + 1).
    uint32_t first_child = 0;
    uint32_t fallback = 0;  // the longest proper suffix that is in the trie
    uint32_t shorter = 0;   // the longest proper suffix that is a string; 0: none
    uint32_t skip = 0;      // further along the chain of `shorter`: a walk takes O(log) steps
    int32_t string = -1;    // index of the string that ends here
    uint8_t byte = 0;
  };
  struct String {
    uint32_t length;
    int32_t id;
  };
  struct Candidate {
    size_t end;
    uint32_t node;
  };

  void build_trie(const std::vector<SpecialString>& strings);
  void build_links();
  void link(uint32_t node, uint32_t parent, std::vector<uint32_t>& chain);
  const String& string_at(uint32_t node) const {
    return strings_[static_cast<size_t>(nodes_[node].string)];
  }
  uint32_t child(uint32_t node, uint8_t byte) const;
  uint32_t step(uint32_t node, uint8_t byte) const;
  uint32_t no_longer_than(uint32_t node, size_t length) const;
  size_t length(uint32_t node) const { return string_at(node).length; }
  std::vector<Candidate> candidates(std::string_view text) const;

  std::vector<String> strings_;  // sorted by text
  // Breadth first; node 0 is the root; one more at the end closes the last children.
  std::vector<Node> nodes_;
  std::array<bool, 256> starts_{};  // bytes that begin a string
};

}  // namespace plumb
