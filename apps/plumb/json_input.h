#pragma once
// JSON from files and options.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace plumb {

// Error: not JSON, or nested deeper than a person would write. `name` (a file, an option) stands in
// the message.
nlohmann::ordered_json parse_json(std::string_view name, std::string_view text);
nlohmann::ordered_json read_json(const std::string& path);  // "-" is standard input

}  // namespace plumb
