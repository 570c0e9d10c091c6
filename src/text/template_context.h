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

}  // namespace plumb
