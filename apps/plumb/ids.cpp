#include "ids.h"

#include "arguments.h"
#include "base/error.h"
#include "base/text.h"

namespace plumb {

std::vector<int32_t> parse_ids(std::string_view name, std::string_view list, int64_t n_vocab) {
  constexpr std::string_view kSpaces = " \t\r\n";
  std::vector<int32_t> ids;
  bool after_comma = false;
  size_t at = list.find_first_not_of(kSpaces);
  while (at != std::string_view::npos) {
    const size_t end = std::min(list.find_first_of(" \t\r\n,", at), list.size());
    ids.push_back(static_cast<int32_t>(
        Arguments::parse_integer(name, list.substr(at, end - at), 0, n_vocab - 1)));
    at = list.find_first_not_of(kSpaces, end);
    after_comma = at != std::string_view::npos && list[at] == ',';
    if (after_comma) at = list.find_first_not_of(kSpaces, at + 1);
  }
  if (after_comma) fail("{}: expected an id after the last comma, got nothing", name);
  return ids;
}

}  // namespace plumb
