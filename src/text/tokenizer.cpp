// What a file's tokenizer keys mean, and the two directions.
#include "text/tokenizer.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "text/byte_alphabet.h"
#include "text/fragment_encoder.h"
#include "text/special_matcher.h"
#include "text/special_tokens.h"

namespace plumb {

struct Tokenizer::Parts {
  std::string model, pre;
  bool bytes_spelled = false;  // token texts are in the byte alphabet; otherwise spaces are marks
  bool space_prefix = false;
  Vocabulary vocabulary;
  SpecialTokens special;
  SpecialMatcher all_special, user_defined;  // with and without control and unknown tokens
  std::unique_ptr<const FragmentEncoder> encoder;
};

namespace {

constexpr std::string_view kModel = "tokenizer.ggml.model", kPre = "tokenizer.ggml.pre";

const PreTokenizerRule& pre_tokenizer_of(const gguf::Metadata& metadata, std::string_view name) {
  const auto* rule = find_pre_tokenizer(name);
  if (!rule)
    fail("[text] {}: {}: expected one of {}, got {}", metadata.file_name(), kPre,
         pre_tokenizer_names(), quoted(name));
  return *rule;
}

bool is_hidden(TokenType type) {
  return type == TokenType::control || type == TokenType::unknown;
}

SpecialMatcher matcher(const gguf::Metadata& metadata, const Vocabulary& vocabulary,
                       bool with_hidden) {
  std::vector<SpecialString> strings;
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    const auto type = vocabulary.type(id);
    const bool wanted = type == TokenType::user_defined || (with_hidden && is_hidden(type));
    if (!wanted || vocabulary.text(id).empty()) continue;
    if (strings.size() == SpecialMatcher::kMaxStrings)
      fail("[text] {}: tokenizer.ggml.token_type: expected at most {} special tokens, got more",
           metadata.file_name(), SpecialMatcher::kMaxStrings);
    strings.push_back({vocabulary.text(id), id});
  }
  const size_t nodes = SpecialMatcher::count_nodes(strings);
  if (nodes > SpecialMatcher::kMaxNodes)
    fail(
        "[text] {}: tokenizer.ggml.token_type: expected special tokens of at most {} bytes "
        "(common beginnings counted once), got {}",
        metadata.file_name(), SpecialMatcher::kMaxNodes, nodes);
  return SpecialMatcher(std::move(strings));
}

std::vector<SpecialMatch> matches(const SpecialMatcher& matcher, std::string_view text,
                                  std::span<const size_t> borders) {
  std::vector<SpecialMatch> all =
      matcher.find(text.substr(0, borders.empty() ? text.size() : borders[0]));
  for (size_t i = 0; i < borders.size(); ++i) {
    const size_t begin = borders[i], end = i + 1 < borders.size() ? borders[i + 1] : text.size();
    for (const auto& m : matcher.find(text.substr(begin, end - begin)))
      all.push_back({begin + m.begin, begin + m.end, m.id});
  }
  return all;
}

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
Tokenizer::~Tokenizer() = default;

std::unique_ptr<Tokenizer> Tokenizer::load(const gguf::Metadata& metadata) {
  auto parts = std::make_unique<Parts>();
  Parts& p = *parts;
  p.model = metadata.string(kModel);
  if (p.model != "gpt2" && p.model != "llama" && p.model != "gemma4")
    fail("[text] {}: {}: expected gpt2, llama or gemma4, got {}", metadata.file_name(), kModel,
         plumb::quoted(p.model));
  p.vocabulary = Vocabulary::load(metadata);
  SpecialDefaults defaults;
  if (p.model == "llama") {
    p.space_prefix = metadata.boolean_or("tokenizer.ggml.add_space_prefix", true);
    defaults = {.add_bos = true, .bos = 1, .eos = 2, .unknown = 0};
    p.special = read_special_tokens(metadata, defaults, p.vocabulary);
    p.encoder = make_sentence_piece(p.vocabulary, p.space_prefix, p.special.unknown);
  } else {
    p.pre = p.model == "gemma4" ? "gemma4" : metadata.string_or(kPre, "default");
    const auto& rule = pre_tokenizer_of(metadata, p.pre);
    p.bytes_spelled = p.pre != "gemma4";
    defaults.add_bos = rule.add_bos;
    defaults.always_bos = !p.bytes_spelled;
    p.special = read_special_tokens(metadata, defaults, p.vocabulary);
    p.encoder = p.bytes_spelled ? make_byte_bpe(metadata, p.vocabulary, rule)
                                : make_line_bpe(metadata, p.vocabulary, rule);
  }
  p.all_special = matcher(metadata, p.vocabulary, true);
  p.user_defined = matcher(metadata, p.vocabulary, false);
  return std::unique_ptr<Tokenizer>(new Tokenizer(std::move(parts)));
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  if (text.size() > kMaxText)
    fail("[text] expected a text of at most {}, got {}", human_bytes(kMaxText),
         human_bytes(static_cast<int64_t>(text.size())));
  Encoding encoding(text);
  auto& ids = encoding.ids;
  if (options.add_bos && adds_bos() && bos()) ids.push_back(*bos());
  const auto encode_text = [&](size_t begin, size_t end) {
    if (begin < end) parts_->encoder->encode(text.substr(begin, end - begin), encoding);
  };
  size_t done = 0;
  const auto& matcher = options.parse_special ? parts_->all_special : parts_->user_defined;
  for (const auto& match : matches(matcher, text, options.borders)) {
    encode_text(done, match.begin);
    ids.push_back(match.id);
    done = match.end;
    if (std::ranges::binary_search(parts_->special.swallowing, match.id))
      done = std::min(text.find_first_not_of(" \t\n\v\f\r", done), text.size());
  }
  encode_text(done, text.size());
  if (options.add_bos && adds_eos() && eos()) ids.push_back(*eos());
  return std::move(ids);
}

void Tokenizer::append_piece(int32_t id, bool show_control, bool& at_start,
                             std::string& out) const {
  if (id < 0 || id >= n_tokens())
    fail("[text] expected token ids of 0..{}, got {}", n_tokens() - 1, id);
  const auto type = token_type(id);
  const auto text = token_text(id);
  const bool special = is_hidden(type) || type == TokenType::user_defined;
  const size_t before = out.size();
  if (is_hidden(type) && !parts_->vocabulary.is_text(id)) {
    if (show_control) out += text;
  } else if (type == TokenType::user_defined) {
    out += text;
  } else if (const auto byte = type == TokenType::byte ? parse_byte_token(text) : std::nullopt) {
    out += static_cast<char>(*byte);
  } else if (parts_->bytes_spelled) {
    append_spelled(text, out);
  } else {
    append_unmarked(text, out);
    if (at_start && adds_space_prefix() && out.size() > before && out[before] == ' ')
      out.erase(before, 1);
  }
  at_start = special || (at_start && text.empty());
}

std::string Tokenizer::piece(int32_t id, bool show_control) const {
  std::string out;
  bool at_start = false;
  append_piece(id, show_control, at_start, out);
  return out;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool show_control) const {
  std::string out;
  bool at_start = true;
  for (const int32_t id : ids) append_piece(id, show_control, at_start, out);
  return out;
}

int32_t Tokenizer::n_tokens() const {
  return parts_->vocabulary.size();
}
std::string_view Tokenizer::token_text(int32_t id) const {
  return parts_->vocabulary.text(id);
}
TokenType Tokenizer::token_type(int32_t id) const {
  return parts_->vocabulary.type(id);
}
std::optional<int32_t> Tokenizer::find(std::string_view text) const {
  return parts_->vocabulary.find(text);
}
std::optional<int32_t> Tokenizer::bos() const {
  return parts_->special.bos;
}
std::optional<int32_t> Tokenizer::eos() const {
  return parts_->special.eos;
}
bool Tokenizer::adds_bos() const {
  return parts_->special.add_bos;
}
bool Tokenizer::adds_eos() const {
  return parts_->special.add_eos;
}
bool Tokenizer::adds_space_prefix() const {
  return parts_->space_prefix;
}
bool Tokenizer::is_end(int32_t id) const {
  return std::ranges::binary_search(end_tokens(), id);
}
std::span<const int32_t> Tokenizer::end_tokens() const {
  return parts_->special.end;
}
std::span<const int32_t> Tokenizer::suppressed() const {
  return parts_->special.suppressed;
}
std::string_view Tokenizer::model() const {
  return parts_->model;
}
std::string_view Tokenizer::pre() const {
  return parts_->pre;
}

}  // namespace plumb
