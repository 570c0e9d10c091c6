// Shadows, the expressions on them, and the cutting.
#include "text/pre_tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include "base/error.h"
#include "text/unicode.h"

namespace plumb {
namespace {

// ---- the shadow alphabet

constexpr unsigned kShadow = 0x80, kLengths = 4;

char shadow_byte(const Char& c) {
  const auto cls = static_cast<unsigned>(char_class(c.code_point));
  return static_cast<char>(kShadow + cls * kLengths + static_cast<unsigned>(c.length - 1));
}

size_t shadow_length(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < kShadow ? 1 : byte % kLengths + 1;
}

size_t ascii_prefix(std::string_view text) {
  size_t i = 0;
  for (uint64_t word; i + 8 <= text.size(); i += 8) {
    __builtin_memcpy(&word, text.data() + i, 8);
    if (word & 0x8080808080808080) break;
  }
  while (i < text.size() && static_cast<signed char>(text[i]) >= 0) ++i;
  return i;
}

std::string make_shadow(std::string_view text) {
  std::string shadow;
  shadow.reserve(text.size());
  while (!text.empty()) {
    const size_t plain = ascii_prefix(text);
    shadow += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const Char c = decode_char(text);
    shadow += shadow_byte(c);
    text.remove_prefix(static_cast<size_t>(c.length));
  }
  return shadow;
}

// ---- Unicode classes as sets of the shadow alphabet

struct NamedClass {
  std::string_view name, ascii;  // ascii: its members below 0x80, as in a bracket expression
  CharClass first, last;
};
constexpr NamedClass kClasses[] = {
    {"\\p{L}", "A-Za-z", CharClass::lu, CharClass::lo},
    {"\\p{Lu}", "A-Z", CharClass::lu, CharClass::lu},
    {"\\p{Ll}", "a-z", CharClass::ll, CharClass::ll},
    {"\\p{Lt}", "", CharClass::lt, CharClass::lt},
    {"\\p{Lm}", "", CharClass::lm, CharClass::lm},
    {"\\p{Lo}", "", CharClass::lo, CharClass::lo},
    {"\\p{M}", "", CharClass::mark, CharClass::mark},
    {"\\p{N}", "0-9", CharClass::number, CharClass::number},
    {"\\p{P}", "!-#%-*,-/:;?@[-\\]_{}", CharClass::punctuation, CharClass::punctuation},
    {"\\s", "\\t-\\r ", CharClass::space, CharClass::space},
};
constexpr std::string_view kNotSpace = "\\S";

std::string members(const NamedClass& c) {
  const auto code = [](CharClass cls) { return kShadow + static_cast<unsigned>(cls) * kLengths; };
  return fmt::format("{}\\x{:02x}-\\x{:02x}", c.ascii, code(c.first), code(c.last) + kLengths - 1);
}

}  // namespace

std::string shadow_regex(std::string_view regex) {
  std::string out;
  bool in_brackets = false;
  while (!regex.empty()) {
    size_t length = regex[0] == '\\' ? 2 : 1;
    std::string text(regex.substr(0, length));
    for (const auto& c : kClasses) {
      if (!regex.starts_with(c.name)) continue;
      length = c.name.size();
      text = in_brackets ? members(c) : fmt::format("[{}]", members(c));
    }
    if (regex.starts_with(kNotSpace)) text = fmt::format("[^{}]", members(std::end(kClasses)[-1]));
    if (text == "[") in_brackets = true;
    if (text == "]") in_brackets = false;
    out += text;
    regex.remove_prefix(length);
  }
  return out;
}

// One compiled expression. JIT where the system allows it; the interpreter gives the same matches.
class PreTokenizer::Regex {
 public:
  explicit Regex(std::string_view regex) {
    const std::string pattern = shadow_regex(regex);
    int error = 0;
    PCRE2_SIZE at = 0;
    code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), 0, &error,
                          &at, nullptr);
    CHECK(code_ != nullptr, "{}: error {} at {}", pattern, error, at);
    jit_ = pcre2_jit_compile(code_, PCRE2_JIT_COMPLETE) == 0;
    limits_ = pcre2_match_context_create(nullptr);
    CHECK(limits_ != nullptr);
    pcre2_set_match_limit(limits_, UINT32_MAX);
  }
  ~Regex() {
    pcre2_match_context_free(limits_);
    pcre2_code_free(code_);
  }

  // Cuts each piece of `text` into matches and what lies between them.
  std::vector<uint32_t> refine(std::string_view text, const std::vector<uint32_t>& pieces) const {
    std::vector<uint32_t> out;
    out.reserve(pieces.size() + text.size() / 8);
    const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match(
        pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
    for (size_t begin = 0; const uint32_t length : pieces) {
      cut(text.substr(begin, length), match.get(), out);
      begin += length;
    }
    return out;
  }

 private:
  int match_at(PCRE2_SPTR subject, size_t size, size_t from, pcre2_match_data* match) const {
    return jit_ ? pcre2_jit_match(code_, subject, size, from, 0, match, limits_)
                : pcre2_match(code_, subject, size, from, 0, match, limits_);
  }

  void cut(std::string_view piece, pcre2_match_data* match, std::vector<uint32_t>& out) const {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(piece.data());
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match);
    size_t done = 0;
    while (done < piece.size()) {
      const int rc = match_at(subject, piece.size(), done, match);
      if (rc == PCRE2_ERROR_NOMATCH) break;
      if (rc < 0) fail_machine("[text] the pre-tokenizer gave up: PCRE2 error {}", rc);
      CHECK(range[1] > done, "an empty match at {}", done);
      if (range[0] > done) out.push_back(static_cast<uint32_t>(range[0] - done));
      out.push_back(static_cast<uint32_t>(range[1] - range[0]));
      done = range[1];
    }
    if (done < piece.size()) out.push_back(static_cast<uint32_t>(piece.size() - done));
  }

  pcre2_code* code_ = nullptr;
  pcre2_match_context* limits_ = nullptr;
  bool jit_ = false;
};

PreTokenizer::PreTokenizer(std::span<const std::string_view> regexes) {
  for (const auto regex : regexes) regexes_.push_back(std::make_unique<Regex>(regex));
}

PreTokenizer::~PreTokenizer() = default;

std::vector<uint32_t> PreTokenizer::split(std::string_view text) const {
  const bool ascii = ascii_prefix(text) == text.size();
  const std::string shadow = ascii ? std::string() : make_shadow(text);
  const std::string_view subject = ascii ? text : std::string_view(shadow);
  std::vector<uint32_t> pieces = {static_cast<uint32_t>(subject.size())};
  for (const auto& regex : regexes_) pieces = regex->refine(subject, pieces);
  if (ascii) return pieces;
  const char* at = shadow.data();
  for (auto& piece : pieces) {
    uint32_t bytes = 0;
    for (const char* end = at + piece; at < end; ++at)
      bytes += static_cast<uint32_t>(shadow_length(*at));
    piece = bytes;
  }
  return pieces;
}

}  // namespace plumb
