#include "measure/json_input.h"

#include "base/error.h"
#include "base/text.h"

namespace plumb {
namespace {

using nlohmann::json;

constexpr int kDeepest = 16;

const json& field(const json& object, const char* name, std::string_view what) {
  if (!object.is_object()) fail("{}: expected an object, got {}", what, object.type_name());
  const auto found = object.find(name);
  if (found == object.end()) fail("{}: expected a field {}, got none", what, name);
  return *found;
}

std::string shown(const json& value) {
  if (value.is_structured()) return value.type_name();
  return plumb::quoted(value.dump(-1, ' ', true, json::error_handler_t::replace));
}

}  // namespace

json parse_result_json(std::string_view text, std::string_view what) {
  const auto check_depth = [&](int depth, json::parse_event_t, json&) {
    if (depth > kDeepest) fail("{}: expected JSON of at most {} levels, got more", what, kDeepest);
    return true;
  };
  try {
    return json::parse(text, check_depth);
  } catch (const json::exception& e) {
    fail("{}: expected JSON, got something else: {}", what, plumb::quoted(e.what(), 200));
  }
}

double number_field(const json& object, const char* name, double min, double max,
                    std::string_view what) {
  const json& value = field(object, name, what);
  if (value.is_number())
    if (const double number = value.get<double>(); number >= min && number <= max) return number;
  fail("{}: {}: expected a number from {} to {}, got {}", what, name, min, max, shown(value));
}

int64_t integer_field(const json& object, const char* name, int64_t min, int64_t max,
                      std::string_view what) {
  const json& value = field(object, name, what);
  if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{INT64_MAX})
    fail("{}: {}: expected an integer from {} to {}, got {}", what, name, min, max, shown(value));
  if (value.is_number_integer())
    if (const auto number = value.get<int64_t>(); number >= min && number <= max) return number;
  fail("{}: {}: expected an integer from {} to {}, got {}", what, name, min, max, shown(value));
}

std::string text_field(const json& object, const char* name, std::string_view what) {
  const json& value = field(object, name, what);
  if (!value.is_string()) fail("{}: {}: expected a text, got {}", what, name, shown(value));
  return value.get<std::string>();
}

}  // namespace plumb
