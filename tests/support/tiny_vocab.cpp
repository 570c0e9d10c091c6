// The two vocabularies of tiny models.

#include <fmt/format.h>

#include <array>
#include <vector>

#include "support/tiny_model.h"

namespace plumb::test {
namespace {

enum TokenKind : int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUnused = 5, kByte = 6 };

struct Vocab {
  std::vector<std::string> tokens;
  std::vector<int32_t> kinds;
  std::vector<float> scores;
  void add(std::string token, TokenKind kind = kNormal, float score = 0) {
    tokens.push_back(std::move(token));
    kinds.push_back(kind);
    scores.push_back(score);
  }
  void pad(int64_t n) {
    for (int64_t i = 0; i < n; ++i) add("<unused" + std::to_string(i) + ">", kUnused, -1000);
  }
};

std::string utf8(unsigned c) {
  if (c < 0x80) return {static_cast<char>(c)};
  return {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
}

// The printable characters that stand for bytes 0..255 in GPT-2's vocabularies.
std::array<std::string, 256> byte_characters() {
  std::array<std::string, 256> out;
  unsigned next = 256;
  for (unsigned b = 0; b < 256; ++b) {
    const bool itself = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    out[b] = utf8(itself ? b : next++);
  }
  return out;
}

constexpr std::pair<const char*, const char*> kMerges[] = {
    {"Ġ", "t"},  {"h", "e"}, {"Ġ", "a"}, {"i", "n"},   {"r", "e"},   {"Ġt", "he"}, {"o", "n"},
    {"e", "r"},  {"Ġ", "s"}, {"a", "t"}, {"Ġ", "w"},   {"n", "d"},   {"Ġa", "nd"}, {"o", "u"},
    {"i", "t"},  {"Ġ", "o"}, {"e", "n"}, {"l", "l"},   {"o", "r"},   {"in", "g"},  {"Ġo", "f"},
    {"Ġt", "o"}, {"e", "s"}, {"i", "s"}, {"Ġ", "in"},  {"e", "d"},   {"l", "o"},   {"h", "a"},
    {"W", "or"}, {"l", "d"}, {"H", "e"}, {"He", "ll"}, {"Hell", "o"}};

void add_gpt2(gguf::Writer& w, const TinyOptions& options, Vocab& v) {
  v.add("<|endoftext|>", kControl);
  v.add("<|im_start|>", kControl);
  v.add("<|im_end|>", kControl);
  for (const std::string& character : byte_characters()) v.add(character);
  std::vector<std::string> merges;
  for (const auto& [left, right] : kMerges) {
    merges.push_back(std::string(left) + " " + right);
    v.add(std::string(left) + right);
  }
  v.pad(options.n_padding);
  w.add("tokenizer.ggml.model", "gpt2");
  w.add("tokenizer.ggml.pre", options.pre);
  w.add("tokenizer.ggml.tokens", v.tokens);
  w.add("tokenizer.ggml.token_type", v.kinds);
  w.add("tokenizer.ggml.merges", merges);
  w.add("tokenizer.ggml.bos_token_id", 1u);
  w.add("tokenizer.ggml.eos_token_id", 2u);
  w.add("tokenizer.ggml.unknown_token_id", 0u);
  w.add("tokenizer.ggml.padding_token_id", 2u);
  w.add("tokenizer.ggml.add_bos_token", false);
}

void add_spm(gguf::Writer& w, const TinyOptions& options, Vocab& v) {
  v.add("<unk>", kUnknown);
  v.add("<s>", kControl);
  v.add("</s>", kControl);
  for (int b = 0; b < 256; ++b) v.add(fmt::format("<0x{:02X}>", b), kByte);
  float score = -1;
  for (const char* piece : {"▁t",   "he", "▁a", "in", "▁the", "re", "on", "er",  "▁s",  "nd",
                            "▁and", "▁w", "or", "ld", "lo",   "el", "▁H", "▁He", "llo", "ll"})
    v.add(piece, kNormal, score--);
  v.add("▁", kNormal, score--);
  for (char c = 'a'; c <= 'z'; ++c) v.add({c}, kNormal, score--);
  for (char c = 'A'; c <= 'Z'; ++c) v.add({c}, kNormal, score--);
  v.pad(options.n_padding);
  w.add("tokenizer.ggml.model", "llama");
  w.add("tokenizer.ggml.tokens", v.tokens);
  w.add("tokenizer.ggml.scores", v.scores);
  w.add("tokenizer.ggml.token_type", v.kinds);
  w.add("tokenizer.ggml.bos_token_id", 1u);
  w.add("tokenizer.ggml.eos_token_id", 2u);
  w.add("tokenizer.ggml.unknown_token_id", 0u);
  w.add("tokenizer.ggml.add_bos_token", true);
  w.add("tokenizer.ggml.add_eos_token", false);
  w.add("tokenizer.ggml.add_space_prefix", true);
}

constexpr const char* kChatMl =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

}  // namespace

int64_t add_tiny_vocab(gguf::Writer& writer, const TinyOptions& options) {
  Vocab v;
  if (options.vocab == TinyVocab::gpt2)
    add_gpt2(writer, options, v);
  else
    add_spm(writer, options, v);
  if (options.chat_template) writer.add("tokenizer.chat_template", kChatMl);
  return static_cast<int64_t>(v.tokens.size());
}

}  // namespace plumb::test
