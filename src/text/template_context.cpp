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
// Nor are there so many keys in one object, which keeps them in order in a list.
constexpr int64_t kMaxJsonKeys = 10000;

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

// Looks at the brackets and colons outside strings before anything is parsed, in one pass: the
// parser's own hook for this would look at every element of a list again after each.
void require_modest(std::string_view text, std::string_view what) {
  std::vector<int64_t> keys;  // of the objects and lists that are open
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') in_string = !in_string;
    if (in_string) {
      i += c == '\\';
      continue;
    }
    if (c == '[' || c == '{') keys.push_back(0);
    if ((c == ']' || c == '}') && !keys.empty()) keys.pop_back();
    if (keys.size() > kMaxJsonDepth) fail_too_deep(what);
    if (c == ':' && !keys.empty() && ++keys.back() > kMaxJsonKeys)
      fail("[template] {}: expected at most {} keys in an object, got more", what, kMaxJsonKeys);
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

Json parse_template_json(std::string_view text, std::string_view what) {
  require_modest(text, what);
  try {
    return Json::parse(text);
  } catch (const Json::exception& e) {
    // The library's own name for the error stands in brackets before what it says.
    const std::string_view message = e.what();
    const size_t name_end = message.find("] ");
    fail("[template] {}: expected JSON, got {}", what,
         quoted(message.substr(name_end == message.npos ? 0 : name_end + 2), 200));
  }
}

}  // namespace plumb
