#pragma once
// What a template sees, as one JSON object with bounded nesting.

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "text/chat_template.h"

namespace plumb {

// The names of TemplateInput and its variables. tools and documents are null where there are none,
// as in transformers. Error when something is nested too deep.
nlohmann::ordered_json template_context(const TemplateInput& input);

// The context without the names that are null although templates may well expect a list (tools,
// documents); nothing when both are there.
std::optional<nlohmann::ordered_json> without_absent_lists(const nlohmann::ordered_json& context);

}  // namespace plumb
