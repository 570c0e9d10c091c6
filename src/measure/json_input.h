#pragma once
// JSON from outside: result files and what other programs print.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace plumb {

// Error (naming `what`): malformed, or nested deeper than results ever are.
nlohmann::json parse_result_json(std::string_view text, std::string_view what);

// A field of an object. Error: it is missing, or no finite number from min to max.
double number_field(const nlohmann::json& object, const char* name, double min, double max,
                    std::string_view what);
int64_t integer_field(const nlohmann::json& object, const char* name, int64_t min, int64_t max,
                      std::string_view what);
std::string text_field(const nlohmann::json& object, const char* name, std::string_view what);

}  // namespace plumb
