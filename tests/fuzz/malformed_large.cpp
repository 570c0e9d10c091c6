// Much of something small, and the keys that steer the reader itself.

#include "fuzz/edits.h"

namespace plumb::test {

using gguf::ValueType;

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
  edits.add("10 MiB of bools as token types", Refusal::by_tokenizer, [](RawFile& f) {
    f.set_array("tokenizer.ggml.token_type", boolean, 10 << 20, std::string(10 << 20, '\1'));
  });
  if (!base.has_weights()) return;
  edits.add("20000 tensors more", Refusal::by_model, [](RawFile& f) {
    for (int i = 0; i < 20000; ++i)
      f.tensors.push_back({fmt::format("blk.{}.x", i), {8}, 0, std::string(32, '\0'), {}});
  });
  edits.add("4096 layers", Refusal::by_model,
            [](RawFile& f) { f.set_number("llama.block_count", u32, 4096u); });
}

}  // namespace plumb::test
