#pragma once
// What was said in a chat, and its file: {"model": name, "messages": [{"role", "content"}, ...]}.

#include <filesystem>
#include <string>
#include <vector>

#include "generate/chat_prompt.h"

namespace plumb {

struct Conversation {
  std::string system;             // "": none
  std::vector<Message> messages;  // user, assistant, user, ...

  // With the system message in front.
  std::vector<Message> all() const;

  // Bytes that are not UTF-8 become U+FFFD. Error: the file cannot be written.
  void save(const std::filesystem::path& path, const std::string& model) const;
  // Error: not such a file; names what is wrong and where.
  static Conversation load(const std::filesystem::path& path);
};

}  // namespace plumb
