#pragma once
// Lists of token ids as users write them.

#include <cstdint>
#include <string_view>
#include <vector>

namespace plumb {

// "1,2,3" or "1 2 3", lines too. Error: anything else, an id of n_vocab or above. `name` (an
// option, a file) stands in the message.
std::vector<int32_t> parse_ids(std::string_view name, std::string_view list, int64_t n_vocab);

}  // namespace plumb
