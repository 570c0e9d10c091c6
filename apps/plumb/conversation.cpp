#include "conversation.h"

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace plumb {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kLargest = int64_t{64} << 20;

std::string text_field(const std::string& where, const ordered_json& object, const char* name) {
  const auto field = object.find(name);
  if (field == object.end()) fail("{}: expected a field {}, got none", where, name);
  if (!field->is_string())
    fail("{}: {}: expected a string, got {}", where, name, field->type_name());
  return field->get<std::string>();
}

Message message_from(const std::string& where, const ordered_json& value) {
  if (!value.is_object()) fail("{}: expected an object, got {}", where, value.type_name());
  for (const auto& [name, field] : value.items())
    if (name != "role" && name != "content")
      fail("{}: expected the fields role and content, got {}", where, plumb::quoted(name));
  return {text_field(where, value, "role"), text_field(where, value, "content")};
}

}  // namespace

std::vector<Message> Conversation::all() const {
  std::vector<Message> out;
  if (!system.empty()) out.push_back({"system", system});
  out.insert(out.end(), messages.begin(), messages.end());
  return out;
}

void Conversation::save(const std::filesystem::path& path, const std::string& model) const {
  ordered_json list = ordered_json::array();
  for (const Message& m : all()) list.push_back({{"role", m.role}, {"content", m.content}});
  const ordered_json file{{"model", model}, {"messages", std::move(list)}};
  write_file(path, file.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

Conversation Conversation::load(const std::filesystem::path& path) {
  const ordered_json file = parse_template_json(read_file(path, kLargest), path.string());
  if (!file.is_object()) fail("{}: expected an object, got {}", path.string(), file.type_name());
  const auto list = file.find("messages");
  if (list == file.end() || !list->is_array())
    fail("{}: expected an array messages, got {}", path.string(),
         list == file.end() ? "none" : list->type_name());
  Conversation out;
  for (size_t i = 0; i < list->size(); ++i) {
    const std::string where = fmt::format("{}: messages[{}]", path.string(), i);
    Message m = message_from(where, (*list)[i]);
    if (i == 0 && m.role == "system") {
      out.system = std::move(m.content);
      continue;
    }
    const char* turn = out.messages.size() % 2 == 0 ? "user" : "assistant";
    if (m.role != turn)
      fail("{}: expected the role {}, got {}", where, turn, plumb::quoted(m.role));
    out.messages.push_back(std::move(m));
  }
  if (out.messages.size() % 2 != 0)
    fail("{}: messages: expected an answer at the end, got a question", path.string());
  return out;
}

}  // namespace plumb
