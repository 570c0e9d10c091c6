#pragma once
// From a conversation to the ids that a model continues: the file's chat template, rendered and
// tokenized so that no text of a message can pass for one of the template's control tokens.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace plumb {

struct Message {
  std::string role;     // system, user, assistant
  std::string content;  // any bytes
};

class ChatPrompt {
 public:
  // The tokenizer must outlive it. The renderer may have been started beforehand.
  ChatPrompt(const gguf::Metadata& metadata, const Tokenizer& tokenizer,
             TemplateRenderer renderer = TemplateRenderer());

  bool is_fallback() const { return template_.is_fallback; }  // the file has no template

  // The conversation up to where the assistant speaks. BOS where the file asks for it and the
  // template does not write it itself. Error: the template's own.
  std::vector<int32_t> encode(std::span<const Message> messages);

 private:
  const Tokenizer* tokenizer_;
  ChatTemplate template_;
  TemplateRenderer renderer_;
};

// A text to be continued as it stands, without a template; control tokens in it are meant.
std::vector<int32_t> encode_to_continue(const Tokenizer& tokenizer, std::string_view text);

}  // namespace plumb
