#include "generate/chat_prompt.h"

#include "generate/disguise.h"

namespace plumb {
namespace {

using nlohmann::ordered_json;

std::string token_text(const Tokenizer& tokenizer, std::optional<int32_t> id) {
  return id ? std::string(tokenizer.token_text(*id)) : std::string();
}

// Ids to go on from: what a file wants at the end of a text would end the answer before it begins.
std::vector<int32_t> without_end(const Tokenizer& tokenizer, std::vector<int32_t> ids) {
  if (tokenizer.adds_eos() && !ids.empty() && tokenizer.eos() == ids.back()) ids.pop_back();
  return ids;
}

}  // namespace

ChatPrompt::ChatPrompt(const gguf::Metadata& metadata, const Tokenizer& tokenizer,
                       TemplateRenderer renderer)
    : tokenizer_(&tokenizer),
      template_(chat_template_of(metadata)),
      renderer_(std::move(renderer)) {}

std::vector<int32_t> ChatPrompt::encode(std::span<const Message> messages) {
  std::vector<std::string_view> texts{template_.source};
  for (const Message& m : messages) texts.push_back(m.content);
  const Disguise disguise(*tokenizer_, texts);

  TemplateInput input;
  input.bos_token = token_text(*tokenizer_, tokenizer_->bos());
  input.eos_token = token_text(*tokenizer_, tokenizer_->eos());
  for (const Message& m : messages) {
    // What the assistant said may hold control tokens that templates look for, such as </think>.
    const bool hide_control = m.role != "assistant";
    input.messages.push_back(
        ordered_json{{"role", m.role}, {"content", disguise.put_on(m.content, hide_control)}});
  }
  const auto [text, borders] = disguise.take_off(renderer_.render(template_, input));

  const std::string& bos = input.bos_token;
  const bool has_bos =
      !bos.empty() && text.starts_with(bos) && (borders.empty() || borders.front() >= bos.size());
  return without_end(*tokenizer_,
                     tokenizer_->encode(text, {.add_bos = !has_bos, .borders = borders}));
}

std::vector<int32_t> encode_to_continue(const Tokenizer& tokenizer, std::string_view text) {
  return without_end(tokenizer, tokenizer.encode(text));
}

}  // namespace plumb
