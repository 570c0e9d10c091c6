// Roles by key and by text.
#include "text/special_tokens.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plumb {
namespace {

// Texts that end a generation in one family of models or another.
constexpr std::string_view kEnds[] = {
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<eos>",
    "<turn|>",
    "<|end_of_text|>",
    "<|tool_response>",
    "<end_of_utterance>",
    "[e~[",
    "<｜end▁of▁sentence｜>",
};

// Tokens for filling in the middle of code: a key, and the texts that mean the same. A model that
// starts a new file or pads has ended its answer.
struct FillToken {
  std::string_view key;
  bool ends;
  std::array<std::string_view, 8> texts;  // "": no text, never found
};
constexpr FillToken kFillTokens[] = {
    {"fim_pre_token_id",
     false,
     {"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>",
      "<|code_prefix|>", "<|prefix|>"}},
    {"fim_suf_token_id",
     false,
     {"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>",
      "<|code_suffix|>", "<|suffix|>"}},
    {"fim_mid_token_id",
     false,
     {"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>",
      "<|code_middle|>", "<|middle|>"}},
    {"fim_pad_token_id", true, {"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"}},
    {"fim_rep_token_id",
     true,
     {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"}},
    {"fim_sep_token_id", true, {"<|file_sep|>"}},
};

std::optional<int32_t> id_of(const gguf::Metadata& metadata, std::string_view name,
                             const Vocabulary& vocabulary) {
  const std::string key = "tokenizer.ggml." + std::string(name);
  if (!metadata.has(key)) return std::nullopt;
  return static_cast<int32_t>(metadata.integer(key, 0, vocabulary.size() - 1));
}

std::optional<int32_t> in_range(std::optional<int32_t> id, const Vocabulary& vocabulary) {
  return id && *id < vocabulary.size() ? id : std::nullopt;
}

void add_fill_tokens(const gguf::Metadata& metadata, Vocabulary& vocabulary,
                     std::set<int32_t>& end) {
  for (const auto& fill : kFillTokens) {
    auto id = id_of(metadata, fill.key, vocabulary);
    for (const auto text : fill.texts) {
      if (id) break;
      id = vocabulary.find(text);
      if (id) vocabulary.set_type(*id, TokenType::control);
    }
    if (id && fill.ends) end.insert(*id);
  }
}

void add_known_ends(Vocabulary& vocabulary, std::set<int32_t>& end) {
  for (const auto text : kEnds) {
    if (const auto id = vocabulary.find(text)) {
      end.insert(*id);
      vocabulary.set_type(*id, TokenType::control);
    }
  }
}

// Models whose turns have several channels end a message with <|end|> and go on; its markers are
// part of the text.
void settle_channels(Vocabulary& vocabulary, std::set<int32_t>& end) {
  for (const auto text : {"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"})
    if (const auto id = vocabulary.find(text)) vocabulary.set_type(*id, TokenType::user_defined);
  const auto has = [&](std::string_view text) { return vocabulary.find(text).has_value(); };
  const bool calls = has("<|call|>") || has("<|calls|>");
  const auto message_end = vocabulary.find("<|end|>");
  if (message_end && calls && (has("<|return|>") || has("<|flush|>"))) {
    end.erase(*message_end);
    vocabulary.set_type(*message_end, TokenType::user_defined);
  }
}

// Where tool responses are turns (gemma4), </s> is ordinary text.
void settle_tool_response(Vocabulary& vocabulary, std::set<int32_t>& end) {
  const auto sentence_end = vocabulary.find("</s>");
  if (sentence_end && vocabulary.find("<|tool_response>")) {
    end.erase(*sentence_end);
    vocabulary.set_type(*sentence_end, TokenType::normal);
  }
}

std::vector<int32_t> read_suppressed(const gguf::Metadata& metadata, const Vocabulary& vocabulary) {
  constexpr std::string_view key = "tokenizer.ggml.suppress_tokens";
  std::vector<int32_t> ids;
  for (const int64_t id : metadata.integers_or_empty(key)) {
    if (id < 0 || id >= vocabulary.size())
      fail("[text] {}: {}: expected token ids of 0..{}, got {}", metadata.file_name(), key,
           vocabulary.size() - 1, id);
    ids.push_back(static_cast<int32_t>(id));
  }
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

// Phi-3's special tokens, but for three, take the white space behind them along. Files do not say
// so; their name tells.
std::vector<int32_t> find_swallowing(const gguf::Metadata& metadata, const Vocabulary& vocabulary) {
  std::string name(metadata.string_or("general.name", ""));
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  std::vector<int32_t> ids;
  if (name.find("phi-3") == std::string::npos && name.find("phi3") == std::string::npos) return ids;
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    const TokenType type = vocabulary.type(id);
    const std::string_view text = vocabulary.text(id);
    const bool special = type == TokenType::control || type == TokenType::user_defined ||
                         type == TokenType::unknown || text == "</s>";
    if (special && text != "<unk>" && text != "<s>" && text != "<|endoftext|>") ids.push_back(id);
  }
  return ids;
}

}  // namespace

SpecialTokens read_special_tokens(const gguf::Metadata& metadata, const SpecialDefaults& defaults,
                                  Vocabulary& vocabulary) {
  const auto id = [&](std::string_view name, std::optional<int32_t> fallback) {
    const auto given = id_of(metadata, name, vocabulary);
    return given ? given : in_range(fallback, vocabulary);
  };
  SpecialTokens out;
  out.bos = id("bos_token_id", defaults.bos);
  out.eos = id("eos_token_id", defaults.eos);
  out.unknown = id("unknown_token_id", defaults.unknown);
  out.add_bos =
      metadata.boolean_or("tokenizer.ggml.add_bos_token", defaults.add_bos) || defaults.always_bos;
  out.add_eos = metadata.boolean_or("tokenizer.ggml.add_eos_token", false);
  out.suppressed = read_suppressed(metadata, vocabulary);

  std::set<int32_t> end;
  add_fill_tokens(metadata, vocabulary, end);
  add_known_ends(vocabulary, end);
  for (const auto named : {out.eos, id("eot_token_id", {}), id("eom_token_id", {})})
    if (named) end.insert(*named);
  settle_channels(vocabulary, end);
  settle_tool_response(vocabulary, end);
  out.end.assign(end.begin(), end.end());
  out.swallowing = find_swallowing(metadata, vocabulary);
  return out;
}

}  // namespace plumb
