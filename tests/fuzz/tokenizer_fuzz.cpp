// libFuzzer target for tokenizers. The first byte chooses: a small vocabulary that is right, and
// the rest is text, which must come back as it was; or the rest is a length, a text of that length,
// and a GGUF file with whatever vocabulary.

#include <algorithm>
#include <array>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "support/small_vocabulary.h"
#include "text/byte_alphabet.h"
#include "text/tokenizer.h"

namespace plumb {
namespace {

constexpr uint8_t kFirstFile = 0x80;  // choices from here on are files

std::string stream(const Tokenizer& tokenizer, const std::vector<int32_t>& ids, bool show_control) {
  StreamDecoder decoder(tokenizer, show_control);
  std::string out;
  for (const int32_t id : ids) out += decoder.add(id);
  return out + decoder.flush();
}

// What holds for any vocabulary.
std::vector<int32_t> encode_checked(const Tokenizer& tokenizer, std::string_view text,
                                    const EncodeOptions& options) {
  const auto ids = tokenizer.encode(text, options);
  for (const int32_t id : ids) CHECK(id >= 0 && id < tokenizer.n_tokens(), "id {}", id);
  for (const bool show_control : {false, true})
    CHECK(stream(tokenizer, ids, show_control) == tokenizer.decode(ids, show_control), "{}",
          quoted(text));
  return ids;
}

std::string expected_back(const Tokenizer& tokenizer, std::string_view text) {
  std::string out;
  if (tokenizer.model() == "gpt2") return std::string(text);
  append_unmarked(text, out);  // U+2581 is a space to these vocabularies
  return out;
}

void try_text(const Tokenizer& tokenizer, std::string_view text) {
  const std::string expected = expected_back(tokenizer, text);
  for (const bool special : {false, true}) {
    const auto ids = encode_checked(tokenizer, text, {.add_bos = false, .parse_special = special});
    CHECK(tokenizer.decode(ids, special) == expected, "{}", quoted(text));
  }
}

void try_file(std::span<const uint8_t> data) {
  if (data.size() < 2) return;
  const size_t length = std::min<size_t>(data[0] | data[1] << 8, data.size() - 2);
  const std::string_view text(reinterpret_cast<const char*>(data.data()) + 2, length);
  try {
    const auto file = gguf::File::from_bytes("fuzz.gguf", data.subspan(2 + length));
    const auto tokenizer = Tokenizer::load(file.metadata());
    for (const bool special : {false, true})
      encode_checked(*tokenizer, text, {.add_bos = special, .parse_special = special});
    for (int32_t id = 0; id < tokenizer->n_tokens(); ++id) {
      tokenizer->piece(id);
      CHECK(tokenizer->token_text(id).empty() || tokenizer->find(tokenizer->token_text(id)) == id,
            "id {}", id);
    }
    for (const int32_t id : tokenizer->end_tokens()) CHECK(tokenizer->is_end(id), "id {}", id);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::bad_input, "{}", error.what());
  }
}

std::vector<std::unique_ptr<Tokenizer>> load_small_vocabularies() {
  std::vector<std::unique_ptr<Tokenizer>> out;
  for (const auto& [name, options] : test::reference_vocabularies())
    out.push_back(Tokenizer::load(test::open_file(test::small_vocabulary(options)).metadata()));
  return out;
}

}  // namespace
}  // namespace plumb

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace plumb;
  static const auto vocabularies = load_small_vocabularies();
  if (size == 0) return 0;
  const std::span<const uint8_t> rest(data + 1, size - 1);
  if (data[0] >= kFirstFile)
    try_file(rest);
  else
    try_text(*vocabularies[data[0] % vocabularies.size()],
             {reinterpret_cast<const char*>(rest.data()), rest.size()});
  return 0;
}
