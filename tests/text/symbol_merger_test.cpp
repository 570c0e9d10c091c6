// The merge loop against the rule it implements, for few symbols and for many.
#include "text/symbol_merger.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <string>

#include "support/random.h"

namespace plumb {
namespace {

using Pairs = std::map<std::pair<int32_t, int32_t>, Merge>;

Merge find(const Pairs& pairs, int32_t left, int32_t right) {
  const auto at = pairs.find({left, right});
  return at == pairs.end() ? Merge{} : at->second;
}

std::vector<int32_t> merged(const Pairs& pairs, const std::vector<int32_t>& ids) {
  SymbolMerger merger;
  merger.clear();
  for (uint32_t i = 0; i < ids.size(); ++i) merger.push({ids[i], i, 1});
  std::vector<int32_t> out;
  uint32_t at = 0;
  merger.run(
      [&](const Symbol& left, const Symbol& right) { return find(pairs, left.id, right.id); },
      [&](const Symbol& symbol) {
        EXPECT_EQ(symbol.begin, at);
        at += symbol.length;
        out.push_back(symbol.id);
      });
  EXPECT_EQ(at, ids.size());
  return out;
}

// Lowest key first, leftmost of equal ones, until nothing merges.
std::vector<int32_t> by_the_rule(const Pairs& pairs, std::vector<int32_t> ids) {
  for (;;) {
    size_t best = 0;
    Merge merge;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const Merge m = find(pairs, ids[i], ids[i + 1]);
      if (m.key < merge.key) best = i, merge = m;
    }
    if (merge.key == Merge::kNever) return ids;
    ids[best] = merge.id;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(SymbolMerger, DoesWhatTheRuleSays) {
  test::Random random(1);
  for (int round = 0; round < 2000; ++round) {
    Pairs pairs;
    for (int64_t n = random.below(30); n > 0; --n) {
      const auto left = static_cast<int32_t>(random.below(8)),
                 right = static_cast<int32_t>(random.below(8));
      // Few keys, so that many are equal; results that merge again, or never do (-1).
      pairs[{left, right}] = {static_cast<uint32_t>(random.below(6)),
                              static_cast<int32_t>(random.below(9)) - 1};
    }
    std::vector<int32_t> ids(static_cast<size_t>(random.below(round % 2 ? 12 : 80)));
    for (int32_t& id : ids) id = static_cast<int32_t>(random.below(3));
    EXPECT_EQ(merged(pairs, ids), by_the_rule(pairs, ids)) << ids.size();
  }
}

}  // namespace
}  // namespace plumb
