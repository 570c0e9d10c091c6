#include "json_input.h"

#include "base/error.h"
#include "base/file.h"

namespace plumb {
namespace {

// Writing a value takes stack for each level.
constexpr int kDeepest = 128;
constexpr int64_t kLargest = int64_t{64} << 20;

}  // namespace

nlohmann::ordered_json parse_json(std::string_view name, std::string_view text) {
  using Json = nlohmann::ordered_json;
  const auto check_depth = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kDeepest)
      fail("{}: expected JSON nested at most {} deep, got more", name, kDeepest);
    return true;
  };
  try {
    return Json::parse(text, check_depth);
  } catch (const Json::parse_error& e) {
    fail("{}: expected JSON: {}", name, e.what());
  }
}

nlohmann::ordered_json read_json(const std::string& path) {
  return parse_json(path, read_file(path, kLargest));
}

}  // namespace plumb
