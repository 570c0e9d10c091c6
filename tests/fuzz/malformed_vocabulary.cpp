// Files whose container is right and whose tokenizer is not.

#include "fuzz/edits.h"

namespace plumb::test {
namespace {

using gguf::ValueType;

constexpr const char* kTokens = "tokenizer.ggml.tokens";

void visit_tokens(const Edits& edits, const Base& base) {
  const std::vector<std::string> tokens = base.file.strings(kTokens);
  const auto changed = [&](const std::string& what, Refusal refusal, auto change) {
    edits.add("tokens: " + what, refusal, [&](RawFile& f) {
      std::vector<std::string> edited = tokens;
      change(edited);
      f.set_strings(kTokens, edited);
    });
  };
  using Tokens = std::vector<std::string>;
  changed("none", Refusal::by_tokenizer, [](Tokens& t) { t.clear(); });
  changed("one less", Refusal::by_tokenizer, [](Tokens& t) { t.pop_back(); });
  changed("one more", Refusal::by_tokenizer, [](Tokens& t) { t.push_back("another"); });
  changed("twice as many", Refusal::by_tokenizer, [](Tokens& t) {
    for (size_t i = t.size(); i-- > 0;) t.push_back(t[i] + "2");
  });
  for (const size_t i : {size_t{0}, size_t{5}, tokens.size() - 1}) {
    changed(fmt::format("{} empty", i), Refusal::not_required, [&](Tokens& t) { t[i].clear(); });
    changed(fmt::format("{} not UTF-8", i), Refusal::not_required,
            [&](Tokens& t) { t[i] = "\xff\xfe\x80"; });
    changed(fmt::format("{} cut UTF-8", i), Refusal::not_required,
            [&](Tokens& t) { t[i] = "\xe2\x96"; });
    changed(fmt::format("{} NUL", i), Refusal::not_required,
            [&](Tokens& t) { t[i] = std::string("\0\0", 2); });
    changed(fmt::format("{} long", i), Refusal::not_required,
            [&](Tokens& t) { t[i].assign(1 << 20, 'y'); });
    changed(fmt::format("{} a byte too large", i), Refusal::not_required,
            [&](Tokens& t) { t[i] = "<0x100>"; });
    changed(fmt::format("{} no byte", i), Refusal::not_required,
            [&](Tokens& t) { t[i] = "<0xZZ>"; });
  }
  changed("all bytes gone", Refusal::not_required, [](Tokens& t) {
    for (size_t i = 0; i < t.size(); ++i) t[i] = fmt::format("t{}", i);
  });
  changed("all empty", Refusal::not_required, [](Tokens& t) {
    for (std::string& s : t) s.clear();
  });
  edits.set_all(kTokens, not_integers(), Refusal::by_tokenizer);
  edits.add("no tokens", Refusal::by_tokenizer, [](RawFile& f) { f.remove_pair(kTokens); });
}

void visit_parallel_arrays(const Edits& edits, uint64_t n_tokens) {
  using enum ValueType;
  const auto ints = [&](uint64_t count, int32_t value) {
    std::string elements;
    for (uint64_t i = 0; i < count; ++i) elements += bytes_of(value);
    return list(i32, count, elements);
  };
  const auto floats = [&](uint64_t count, float value) {
    std::string elements;
    for (uint64_t i = 0; i < count; ++i) elements += bytes_of(value);
    return list(f32, count, elements);
  };
  const auto both = [&](const std::string& key, auto make) {
    for (const uint64_t count :
         {uint64_t{0}, uint64_t{1}, n_tokens - 1, n_tokens + 1, 2 * n_tokens})
      edits.set(key, make(count, 1), Refusal::by_tokenizer);
  };
  both("tokenizer.ggml.token_type", ints);
  both("tokenizer.ggml.scores", floats);
  for (const int32_t type : {0, -1, 7, INT32_MIN, INT32_MAX})
    edits.set("tokenizer.ggml.token_type", ints(n_tokens, type), Refusal::by_tokenizer);
  for (const int32_t type : {1, 2, 3, 4, 5, 6})
    edits.set("tokenizer.ggml.token_type", ints(n_tokens, type), Refusal::not_required);
  for (const float score : {std::nanf(""), INFINITY, -INFINITY})
    edits.set("tokenizer.ggml.scores", floats(n_tokens, score), Refusal::by_tokenizer);
  for (const float score : {0.0f, -0.0f, 3e38f, 1e-45f})
    edits.set("tokenizer.ggml.scores", floats(n_tokens, score), Refusal::not_required);
  edits.set("tokenizer.ggml.token_type", floats(n_tokens, 1), Refusal::by_tokenizer);
  edits.set("tokenizer.ggml.scores",
            {"bools", ValueType::array, list(boolean, n_tokens, std::string(n_tokens, '\1')).bytes},
            Refusal::by_tokenizer);
}

void visit_ids(const Edits& edits, uint64_t n_tokens) {
  using enum ValueType;
  for (const char* name : {"bos", "eos", "unknown", "eot", "eom", "fim_pad"}) {
    const std::string key = fmt::format("tokenizer.ggml.{}_token_id", name);
    edits.set_all(key, not_integers(), Refusal::by_tokenizer);
    edits.set_all(key,
                  {number(u32, static_cast<uint32_t>(n_tokens)), number(i32, -1),
                   number(u32, 0x7fffffffu), number(u32, 0x80000000u), number(u32, 0xffffffffu),
                   number(u64, uint64_t{1} << 32), number(u64, ~uint64_t{0})},
                  Refusal::by_tokenizer);
  }
  const std::string suppressed = "tokenizer.ggml.suppress_tokens";
  for (const int32_t id : {-1, static_cast<int32_t>(n_tokens), INT32_MAX})
    edits.set(suppressed, list(i32, 1, bytes_of(id)), Refusal::by_tokenizer);
  for (const char* name : {"add_bos_token", "add_eos_token"})
    edits.set_all(std::string("tokenizer.ggml.") + name,
                  {number(u32, 1u), number(f32, 1.0f), list(boolean, 1, "\1"), list(u8, 0, "")},
                  Refusal::by_tokenizer);
}

void visit_merges(const Edits& edits) {
  const std::string key = "tokenizer.ggml.merges";
  edits.set_all(key, {number(ValueType::u32, 1u), list(ValueType::i32, 2, std::string(8, '\0'))},
                Refusal::by_tokenizer);
  edits.add("no merges", Refusal::by_tokenizer, [&](RawFile& f) { f.remove_pair(key); });
  const auto one = [&](const std::string& merge, Refusal refusal) {
    edits.add(fmt::format("merge \"{}\"", merge.substr(0, 20)), refusal, [&](RawFile& f) {
      std::vector<std::string> merges = f.strings(key);
      merges[1] = merge;
      f.set_strings(key, merges);
    });
  };
  for (const char* merge : {"", "ab", " ", " a", "a ", "  "}) one(merge, Refusal::by_tokenizer);
  for (const std::string& merge :
       {std::string("zz qq"), std::string("a b c"), std::string("   "), std::string("\xff \xfe"),
        std::string("\0 \0", 3), std::string(1 << 16, 'a') + " b"})
    one(merge, Refusal::not_required);
  edits.add("no merge at all", Refusal::not_required, [&](RawFile& f) { f.set_strings(key, {}); });
  edits.add("one merge 1000 times", Refusal::not_required,
            [&](RawFile& f) { f.set_strings(key, std::vector<std::string>(1000, "a b")); });
}

void visit_names(const Edits& edits, bool has_merges) {
  const auto set = [&](const std::string& key, const std::string& value, Refusal refusal) {
    edits.add(key + " = \"" + value.substr(0, 20) + "\"", refusal,
              [&](RawFile& f) { f.set_string(key, value); });
  };
  for (const std::string& model : {std::string(""), std::string("bert"), std::string("GPT2"),
                                   std::string("gpt2\0", 5), std::string(1 << 20, 'g')})
    set("tokenizer.ggml.model", model, Refusal::by_tokenizer);
  for (const char* model : {"gpt2", "llama", "gemma4"})
    set("tokenizer.ggml.model", model, Refusal::not_required);
  edits.add("no tokenizer model", Refusal::by_tokenizer,
            [](RawFile& f) { f.remove_pair("tokenizer.ggml.model"); });
  edits.set_all("tokenizer.ggml.model", not_integers(), Refusal::by_tokenizer);
  if (!has_merges) return;
  for (const char* pre : {"unknown-pre", "smollm ", "[a-z"})
    set("tokenizer.ggml.pre", pre, Refusal::by_tokenizer);
  edits.set("tokenizer.ggml.pre", number(ValueType::u32, 1u), Refusal::by_tokenizer);
}

}  // namespace

void visit_vocabulary(const Base& base, const Visit& visit) {
  const Edits edits(base, visit);
  const uint64_t n_tokens = base.file.strings(kTokens).size();
  const bool has_merges = edits.has("tokenizer.ggml.merges");
  visit_tokens(edits, base);
  visit_parallel_arrays(edits, n_tokens);
  visit_ids(edits, n_tokens);
  visit_names(edits, has_merges);
  if (has_merges) visit_merges(edits);
  edits.set_all("tokenizer.chat_template", not_integers(), Refusal::not_required);
}

}  // namespace plumb::test
