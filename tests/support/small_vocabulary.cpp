#include "support/small_vocabulary.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <sstream>
#include <tuple>

#include "base/file.h"
#include "text/byte_alphabet.h"
#include "text/unicode.h"

namespace plumb::test {
namespace {

enum Kind : int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kByte = 6 };

struct Tokens {
  std::vector<std::string> texts;
  std::vector<int32_t> kinds;
  std::vector<float> scores;
  std::set<std::string> seen;
  void add(const std::string& text, Kind kind = kNormal, float score = 0) {
    if (!seen.insert(text).second) return;
    texts.push_back(text);
    kinds.push_back(kind);
    scores.push_back(score);
  }
};

struct MergeText {
  std::string both, left, right;
};

std::vector<MergeText> read_merge_texts(const std::string& name) {
  std::vector<MergeText> out;
  for (const auto& line : read_lines(name)) {
    const size_t space = line.find(' ');
    const auto left = line.substr(0, space), right = line.substr(space + 1);
    out.push_back({left + right, left, right});
  }
  return out;
}

// For tokenizers whose merges come from ranked tokens: every cut of a token into two, those of
// lower rank first.
std::vector<MergeText> all_cuts(const std::vector<MergeText>& merges,
                                const std::vector<std::string>& bytes) {
  std::map<std::string, size_t> rank;
  for (const auto& byte : bytes) rank.emplace(byte, rank.size());
  for (const auto& m : merges) rank.emplace(m.both, rank.size());
  std::map<std::tuple<size_t, size_t, size_t>, MergeText> cuts;
  for (const auto& [both, both_rank] : rank)
    for (size_t at = 1; at < both.size(); ++at) {
      const auto left = rank.find(both.substr(0, at)), right = rank.find(both.substr(at));
      if (left != rank.end() && right != rank.end())
        cuts[{both_rank, left->second, right->second}] = {both, left->first, right->first};
    }
  std::vector<MergeText> out;
  for (const auto& [_, cut] : cuts) out.push_back(cut);
  return out;
}

std::vector<std::string> lines_of(const std::vector<MergeText>& merges) {
  std::vector<std::string> out;
  for (const auto& m : merges) out.push_back(m.left + " " + m.right);
  return out;
}

// Fewer than seventeen: the order in which llama.cpp takes special tokens of equal length is
// certain up to there.
void add_special(Tokens& t) {
  t.add("<|turn·a|>", kControl);
  t.add("<|turn·b|>", kControl);
  t.add("<a·>", kControl);
  t.add("<a·><b>", kControl);
  t.add("·>·<", kControl);
  for (const char* text : {"<b>", "b><a", "\n\n", "   ", "aab", "abaa", "ж", "<<>>"})
    t.add(text, kUserDefined);
}

void add_byte_level(const SmallVocabulary& options, Tokens& t, gguf::Writer& w) {
  if (options.special) add_special(t);
  for (const auto& control : options.controls) t.add(control, kControl);
  std::vector<std::string> bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.emplace_back(spell_byte(static_cast<uint8_t>(byte)));
  for (const auto& byte : bytes) t.add(byte);
  auto merges = read_merge_texts("byte_merges.txt");
  for (const auto& m : merges) t.add(m.both);
  if (options.special)  // only whole pieces can be these
    for (const char* text : {"Ġlighthousekeeper", "'sĠ", "12345"}) t.add(text);
  if (options.all_cuts) merges = all_cuts(merges, bytes);
  w.add("tokenizer.ggml.pre", options.pre);
  w.add("tokenizer.ggml.merges", lines_of(merges));
}

// Characters apart from ASCII come in through merges; the rest is for byte tokens.
void add_characters(const std::vector<MergeText>& merges, Tokens& t) {
  for (int c = 0x20; c < 0x7F; ++c)
    if (c != ' ' && c != 'Q')
      t.add(std::string(1, static_cast<char>(c)), kNormal, -5000.0f - static_cast<float>(c));
  t.add(std::string(kSpaceMark), kNormal, -4999);
  for (const auto& m : merges)
    for (const auto& side : {m.left, m.right})
      if (decode_char(side).length == static_cast<int>(side.size())) t.add(side, kNormal, -6000);
}

void add_marked(const SmallVocabulary& options, Tokens& t, gguf::Writer& w) {
  const bool llama = options.model == "llama";
  t.add("<unk>", kUnknown);
  t.add("<s>", kControl);
  t.add("</s>", kControl);
  if (options.special) add_special(t);
  for (const auto& control : options.controls) t.add(control, kControl);
  for (int byte = 0; byte < 256; ++byte) t.add(byte_token(static_cast<uint8_t>(byte)), kByte);
  auto merges = read_merge_texts("char_merges.txt");
  if (options.marks_inside)
    for (const char* left : {"of", "e", "▁the", "▁a", ","})
      merges.push_back({left + std::string("▁"), left, "▁"});
  if (!llama)
    for (const char* newlines : {"\n", "\n\n\n"}) t.add(newlines);
  float score = -1;
  for (const auto& m : merges) t.add(m.both, kNormal, score--);
  add_characters(merges, t);
  w.add("tokenizer.ggml.scores", t.scores);
  if (llama)
    w.add("tokenizer.ggml.add_space_prefix", options.space_prefix);
  else
    w.add("tokenizer.ggml.merges", lines_of(merges));
  w.add("tokenizer.ggml.unknown_token_id", 0u);
  w.add("tokenizer.ggml.bos_token_id", 1u);
  w.add("tokenizer.ggml.eos_token_id", 2u);
}

// What llama.cpp asks of a file of the family llama.
void add_model(gguf::Writer& w) {
  w.add("general.architecture", "llama");
  w.add("llama.block_count", 1u);
  w.add("llama.context_length", 128u);
  w.add("llama.embedding_length", 64u);
  w.add("llama.feed_forward_length", 64u);
  w.add("llama.attention.head_count", 1u);
  w.add("llama.rope.dimension_count", 64u);
  w.add("llama.attention.layer_norm_rms_epsilon", 1e-5f);
}

}  // namespace

std::vector<std::string> read_lines(const std::string& name) {
  std::istringstream in(read_file(std::string(PLUMB_TEST_DATA) + "/tokenizer/" + name));
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

int64_t add_small_vocabulary(gguf::Writer& w, const SmallVocabulary& options) {
  w.add("tokenizer.ggml.model", options.model);
  Tokens t;
  if (options.model == "gpt2")
    add_byte_level(options, t, w);
  else
    add_marked(options, t, w);
  w.add("tokenizer.ggml.tokens", t.texts);
  w.add("tokenizer.ggml.token_type", t.kinds);
  return std::ssize(t.texts);
}

gguf::Writer small_vocabulary(const SmallVocabulary& options) {
  gguf::Writer w;
  add_model(w);
  add_small_vocabulary(w, options);
  return w;
}

gguf::File open_file(const gguf::Writer& writer) {
  const std::string bytes = writer.bytes();
  return gguf::File::from_bytes("small.gguf",
                                {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

std::vector<NamedVocabulary> reference_vocabularies() {
  std::vector<NamedVocabulary> out;
  for (const char* pre : {"gpt-2", "smollm", "llama-bpe", "dbrx", "qwen2", "qwen35", "default"})
    out.push_back({pre, {.pre = pre}});
  for (const char* pre : {"gpt-4o", "tekken"})
    out.push_back({pre, {.pre = pre, .all_cuts = true, .special = false}});
  out.push_back({"llama", {.model = "llama"}});
  out.push_back({"llama-no-prefix", {.model = "llama", .space_prefix = false}});
  out.push_back({"llama-marks-inside", {.model = "llama", .marks_inside = true}});
  out.push_back({"gemma4", {.model = "gemma4"}});
  out.push_back({"gemma4-marks-inside", {.model = "gemma4", .marks_inside = true}});
  return out;
}

}  // namespace plumb::test
