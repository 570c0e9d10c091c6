// The table of pre-tokenizers. The expressions are those of the models' own tokenizer.json files as
// llama.cpp's table of tokenizer.ggml.pre names assigns them; where its results differ from the
// model's own, see docs/tokenizers.md.
#include <fmt/format.h>

#include <algorithm>

#include "text/pre_tokenizer.h"

// Contractions, in either case.
#define CONTRACTION "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
// Punctuation with an optional space before and newlines after, runs of newlines, and the rule for
// spaces: all but the last of a run that is followed by something.
#define TAIL " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define TAIL_SLASH " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define LEAD "[^\\r\\n\\p{L}\\p{N}]?"

namespace plumb {
namespace {

constexpr std::string_view kGpt2 =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view kLlama3 = CONTRACTION "|" LEAD "\\p{L}+|\\p{N}{1,3}|" TAIL;
constexpr std::string_view kQwen2 = CONTRACTION "|" LEAD "\\p{L}+|\\p{N}|" TAIL;
constexpr std::string_view kQwen35 = CONTRACTION
    "|" LEAD
    "[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view kGpt4o = LEAD UPPER "*" LOWER "+" CONTRACTION "?|" LEAD UPPER "+" LOWER
                                               "*" CONTRACTION "?|\\p{N}{1,3}|" TAIL_SLASH;
constexpr std::string_view kTekken =
    LEAD UPPER "*" LOWER "+|" LEAD UPPER "+" LOWER "*|\\p{N}|" TAIL_SLASH;

const std::vector<PreTokenizerRule>& table() {
  static const std::vector<PreTokenizerRule> rules = {
      {.names = {"gpt-2", "phi-2", "mpt", "olmo", "jais", "gigachat", "mellum", "exaone4",
                 "trillion", "granite-docling", "a.x-4.0"},
       .regexes = {kGpt2}},
      {.names = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b",
                 "mellum2"},
       .regexes = {"\\p{N}", kGpt2}},
      {.names = {"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "lfm2",
                 "midm-2.0"},
       .regexes = {kLlama3},
       .ignore_merges = true,
       .add_bos = true},
      {.names = {"dbrx", "smaug-bpe", "chatglm-bpe", "glm4"}, .regexes = {kLlama3}},
      {.names = {"qwen2", "deepseek-r1-qwen", "stablelm2", "hunyuan", "megrez", "solar-open",
                 "grok-2"},
       .regexes = {kQwen2}},
      {.names = {"qwen35"}, .regexes = {kQwen35}},
      {.names = {"gpt-4o", "llama4", "kanana2", "minimax-m2"}, .regexes = {kGpt4o}},
      {.names = {"tekken"}, .regexes = {kTekken}, .ignore_merges = true, .add_bos = true},
      {.names = {"gemma4"}, .regexes = {"[^\\n]+|[\\n]+"}},
      {.names = {"default"},
       .regexes = {"[\\p{P}\\$\\+<=>\\^~\\|]+", kGpt2, "\\p{N}+", "[0-9][0-9][0-9]"}},
  };
  return rules;
}

}  // namespace

const PreTokenizerRule* find_pre_tokenizer(std::string_view name) {
  for (const auto& rule : table())
    if (std::ranges::count(rule.names, name)) return &rule;
  return nullptr;
}

std::string pre_tokenizer_names() {
  std::string out;
  for (const auto& rule : table())
    for (const auto name : rule.names) out += fmt::format("{}{}", out.empty() ? "" : ", ", name);
  return out;
}

}  // namespace plumb
