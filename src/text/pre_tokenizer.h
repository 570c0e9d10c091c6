#pragma once
// Cuts text into pieces before byte-level BPE. What a file's tokenizer.ggml.pre means is one row of
// a table of regular expressions; nothing else in the program knows these names.
//
// The expressions are written with Unicode classes (\p{L}, \s, ...) and run by PCRE2's JIT on a
// shadow of the text: one byte per character, ASCII as it is and every other character as one of 44
// bytes that say its class and its length in UTF-8. So any bytes can be matched, classes are those
// of our own Unicode table on every system, and ASCII text needs no shadow at all. An ill-formed
// byte is a character of its own that is no letter, number, mark or space.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

struct PreTokenizerRule {
  std::vector<std::string_view> names;
  std::vector<std::string_view> regexes;  // each is applied to the pieces of the one before
  bool ignore_merges =
      false;             // a piece that is a token is that token, whatever merges would make of it
  bool add_bos = false;  // where the file does not say
};

// nullptr: unknown.
const PreTokenizerRule* find_pre_tokenizer(std::string_view name);
std::string pre_tokenizer_names();  // all, for messages

class PreTokenizer {
 public:
  explicit PreTokenizer(std::span<const std::string_view> regexes);
  ~PreTokenizer();

  // Lengths in bytes of the pieces of `text`, in order; their sum is its size, at most UINT32_MAX.
  // Thread-safe.
  std::vector<uint32_t> split(std::string_view text) const;

 private:
  class Regex;
  std::vector<std::unique_ptr<const Regex>> regexes_;
};

// The expression on the shadow's alphabet. Exposed for tests.
std::string shadow_regex(std::string_view regex);

}  // namespace plumb
