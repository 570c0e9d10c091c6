#include "text/template_context.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace plumb {
namespace {

using Json = nlohmann::ordered_json;

// Nobody nests tool schemas this deep; libraries on the way recurse.
constexpr size_t kMaxJsonDepth = 200;

[[noreturn]] void fail_too_deep(std::string_view what) {
  fail("[template] {}: expected at most {} levels of nesting, got more", what, kMaxJsonDepth);
}

// Walks without recursion.
void require_shallow(const Json& root, std::string_view what) {
  std::vector<std::pair<const Json*, size_t>> open{{&root, 1}};
  while (!open.empty()) {
    const auto [value, depth] = open.back();
    open.pop_back();
    if (depth > kMaxJsonDepth) fail_too_deep(what);
    if (!value->is_structured()) continue;
    for (const Json& child : *value) open.emplace_back(&child, depth + 1);
  }
}

}  // namespace

Json template_context(const TemplateInput& input) {
  require_shallow(input.messages, "messages");
  require_shallow(input.tools, "tools");
  require_shallow(input.variables, "variables");
  Json context = {
      {"messages", input.messages},   {"tools", input.tools},
      {"documents", nullptr},         {"add_generation_prompt", input.add_generation_prompt},
      {"bos_token", input.bos_token}, {"eos_token", input.eos_token}};
  for (const auto& [name, value] : input.variables.items()) context[name] = value;
  return context;
}

std::optional<Json> without_absent_lists(const Json& context) {
  Json rest = context;
  for (const char* name : {"tools", "documents"}) {
    if (rest.contains(name) && rest[name].is_null()) rest.erase(name);
  }
  if (rest.size() == context.size()) return std::nullopt;
  return rest;
}

Json parse_template_json(std::string_view text, std::string_view what) {
  const auto refuse_depth = [&](int depth, Json::parse_event_t, Json&) {
    if (depth >= static_cast<int>(kMaxJsonDepth)) fail_too_deep(what);
    return true;
  };
  try {
    return Json::parse(text, refuse_depth);
  } catch (const Json::exception& e) {
    fail("[template] {}: not JSON: {}", what, quoted(e.what(), 200));
  }
}

}  // namespace plumb
