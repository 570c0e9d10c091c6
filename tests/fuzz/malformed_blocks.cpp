// Files whose experts or recurrent layers have sizes that no model can have, or other ones than
// their tensors.

#include "formats/format.h"
#include "fuzz/edits.h"

namespace plumb::test {
namespace {

// Sizes that the tensors' shapes contradict when they change.
constexpr const char* kFixedSizes[] = {"expert_count",
                                       "expert_feed_forward_length",
                                       "expert_shared_feed_forward_length",
                                       "ssm.conv_kernel",
                                       "ssm.state_size",
                                       "ssm.group_count",
                                       "ssm.time_step_rank",
                                       "ssm.inner_size"};

// Sizes of which others may do as well, within bounds.
constexpr const char* kFreeSizes[] = {"expert_used_count", "full_attention_interval",
                                      "nextn_predict_layers"};

void visit_flags(const Edits& edits, const std::string& key) {
  using enum gguf::ValueType;
  for (const uint64_t n : {0, 1, 2, 4, 1000})
    edits.set(key, list(boolean, n, std::string(n, '\1')), Refusal::by_model);
  edits.set_all(key,
                {number(u32, 1u),
                 {"true", boolean, "\1"},
                 list(boolean, 3, std::string("\1\1\1")),
                 list(f32, 3, std::string(12, '\0')),
                 list(string, 3, std::string(24, '\0')),
                 list(boolean, 3, std::string(3, '\0'))},
                Refusal::by_model);
  edits.set(key, list(u8, 3, std::string("\1\0\0", 3)), Refusal::not_required);
  edits.set(key, list(boolean, 3, std::string("\1\0\377", 3)), Refusal::not_required);
}

}  // namespace

void visit_blocks(const Base& base, const Visit& visit) {
  const Edits edits(base, visit);
  const auto full = [&](const char* name) { return edits.architecture() + "." + name; };
  for (const char* name : kFixedSizes) {
    const uint64_t now = edits.number_of(full(name));
    edits.set_all(full(name), not_integers(), Refusal::by_model);
    edits.set_all(full(name), absurd_integers(now), Refusal::by_model);
    edits.set_all(full(name), other_integers(now), Refusal::by_model);
    edits.add(std::string("no ") + name, Refusal::by_model,
              [&](RawFile& f) { f.remove_pair(full(name)); });
  }
  for (const char* name : kFreeSizes) {
    const uint64_t now = edits.number_of(full(name));
    edits.set_all(full(name), not_integers(), Refusal::by_model);
    edits.set_all(full(name), absurd_integers(now), Refusal::by_model);
    edits.set_all(full(name), other_integers(now), Refusal::not_required);
  }
  visit_flags(edits, full("attention.recurrent_layers"));
}

}  // namespace plumb::test
