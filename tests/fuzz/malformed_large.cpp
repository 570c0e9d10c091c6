// Much of something small, and the keys that steer the reader itself.

#include "fuzz/edits.h"

namespace plumb::test {
namespace {

using gguf::ValueType;

// As short as strings can be that all differ: numbers, 64 values a byte.
std::string nth(size_t n) {
  std::string out;
  for (; n > 0 || out.empty(); n /= 64) out += static_cast<char>('0' + n % 64);
  return out;
}

std::vector<std::string> distinct(size_t n) {
  std::vector<std::string> out;
  for (size_t i = 0; i < n; ++i) out.push_back(nth(i));
  return out;
}

// Vocabularies for which a table needs most, beside what their bytes in the file are.
void visit_vast_vocabularies(const Edits& edits) {
  using enum ValueType;
  constexpr const char *kTokens = "tokenizer.ggml.tokens", *kMerges = "tokenizer.ggml.merges",
                       *kTypes = "tokenizer.ggml.token_type";
  const auto tokens = [&](size_t n, char type, Refusal refusal) {
    edits.add(fmt::format("{} tokens of type {}", n, int{type}), refusal, [&](RawFile& f) {
      f.set_strings(kTokens, distinct(n));
      f.set_array(kTypes, u8, n, std::string(n, type));
      f.remove_pair("tokenizer.ggml.scores");
    });
  };
  tokens(1'000'000, '\1', Refusal::not_required);
  tokens(1'000'001, '\1', Refusal::by_tokenizer);
  tokens(390'000, '\4', Refusal::not_required);
  tokens(1'000'000, '\4', Refusal::by_tokenizer);
  if (!edits.has(kMerges)) return;
  const auto merges = [&](const std::string& what, size_t n, Refusal refusal, auto merge_of) {
    edits.add(fmt::format("{} merges {}", n, what), refusal, [&](RawFile& f) {
      std::vector<std::string> all;
      for (size_t i = 0; i < n; ++i) all.push_back(merge_of(i));
      f.set_strings(kMerges, all);
    });
  };
  merges("of unknown symbols", 1'000'000, Refusal::not_required,
         [](size_t i) { return fmt::format("~{} ~{}", nth(2 * i), nth(2 * i + 1)); });
  merges("all the same", 1'000'000, Refusal::not_required, [](size_t) { return "~ ~~"; });
  merges("all the same", 1'000'001, Refusal::by_tokenizer, [](size_t) { return "~ ~~"; });
}

}  // namespace

void visit_large(const Base& base, const Visit& visit) {
  const Edits edits(base, visit);
  using enum ValueType;
  for (const uint64_t alignment :
       {uint64_t{0}, uint64_t{3}, uint64_t{48}, uint64_t{1} << 32, ~uint64_t{0}})
    edits.set("general.alignment", number(u64, alignment), Refusal::at_open);
  if (base.has_weights())
    edits.set("general.alignment", number(u32, 0x80000000u), Refusal::at_open);
  for (const uint32_t alignment : {1u, 8u, 1024u})
    edits.set("general.alignment", number(u32, alignment), Refusal::not_required);
  edits.set_all("general.alignment",
                {number(i32, -32), number(f32, 32.0f), list(u32, 1, bytes_of(32u))},
                Refusal::at_open);
  for (const uint16_t count : {uint16_t{2}, uint16_t{65535}})
    edits.set("split.count", number(u16, count), Refusal::at_open);
  edits.set_all("split.count", {number(i32, -1), number(u64, uint64_t{1} << 32), number(f32, 2.0f)},
                Refusal::at_open);
  edits.add("70000 keys", Refusal::not_required, [](RawFile& f) {
    for (int i = 0; i < 70000; ++i)
      f.pairs.push_back({fmt::format("k{}", i), static_cast<uint32_t>(u8), "\1"});
  });
  edits.add("one key of 1 MiB", Refusal::at_open, [](RawFile& f) {
    f.pairs.push_back({std::string(1 << 20, 'k'), 0, "\1"});
  });
  edits.add("500000 empty tokens", Refusal::by_tokenizer, [](RawFile& f) {
    f.set_strings("tokenizer.ggml.tokens", std::vector<std::string>(500000));
  });
  if (!base.has_weights()) visit_vast_vocabularies(edits);
  for (const char* key : {"tokenizer.ggml.model", "tokenizer.ggml.pre"})
    if (edits.has(key))
      edits.add(fmt::format("10 MiB of {}", key), Refusal::by_tokenizer,
                [&](RawFile& f) { f.set_string(key, std::string(10 << 20, 'x')); });
  edits.add("10 MiB of bools as token types", Refusal::by_tokenizer, [](RawFile& f) {
    f.set_array("tokenizer.ggml.token_type", boolean, 10 << 20, std::string(10 << 20, '\1'));
  });
  if (!base.has_weights()) return;
  edits.add("10 MiB of architecture", Refusal::by_model,
            [](RawFile& f) { f.set_string("general.architecture", std::string(10 << 20, 'x')); });
  edits.add("20000 tensors more", Refusal::by_model, [](RawFile& f) {
    for (int i = 0; i < 20000; ++i)
      f.tensors.push_back({fmt::format("blk.{}.x", i), {8}, 0, std::string(32, '\0'), {}});
  });
  edits.add("4096 layers", Refusal::by_model,
            [](RawFile& f) { f.set_number("llama.block_count", u32, 4096u); });
}

}  // namespace plumb::test
