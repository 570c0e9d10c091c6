#include "fuzz/stages.h"

#include <algorithm>

#include "backend/cpu/instruction_set.h"
#include "base/error.h"
#include "generate/engine.h"
#include "model/model_desc.h"
#include "plan/plan.h"
#include "text/tokenizer.h"

namespace plumb::test {
namespace {

// All that can be asked of the container.
void read_everything(const gguf::File& file) {
  const gguf::Metadata& m = file.metadata();
  for (int64_t i = 0; i < m.size(); ++i) {
    CHECK(m.find(m.key(i)).has_value(), "key {}", i);
    const auto value = m.value(i);
    CHECK(m.raw(m.key(i))->size() >= 5, "key {}", i);
    if (const auto* array = std::get_if<gguf::Array>(&value))
      if (array->type() == gguf::ValueType::string) m.strings(m.key(i));
  }
  for (int64_t i = 0; i < file.n_tensors(); ++i) {
    const gguf::TensorView t = file.tensor(i);
    const int64_t bytes = format_bytes(t.format, t.n_elements());
    CHECK(static_cast<int64_t>(t.data.size()) == bytes, "tensor {}", i);
    CHECK(file.find_tensor(t.name)->data.data() == t.data.data(), "tensor {}", i);
    volatile uint8_t ends = static_cast<uint8_t>(t.data.front() ^ t.data.back());
    (void)ends;
  }
}

void use_tokenizer(const gguf::File& file) {
  const auto tokenizer = Tokenizer::load(file.metadata());
  for (const bool special : {false, true}) {
    const auto ids =
        tokenizer->encode("Hello World,  <|im_start|>\xff\xe2\x96\x81 9\n</s>\xf0\x9f\x99\x82",
                          {.add_bos = special, .parse_special = special});
    for (const int32_t id : ids) CHECK(id >= 0 && id < tokenizer->n_tokens(), "id {}", id);
    tokenizer->decode(ids, special);
  }
  const int32_t n = std::min(tokenizer->n_tokens(), 1000);
  StreamDecoder stream(*tokenizer);
  for (int32_t id = 0; id < n; ++id) {
    tokenizer->piece(id, id % 2 == 0);
    stream.add(id);
  }
  stream.flush();
}

// The description, the plan and what memory it would need, all printed.
void plan_model(const gguf::File& file) {
  const ModelDesc desc = load_model_desc(file);
  to_text(desc);
  for (const int64_t n_positions :
       {std::min<int64_t>(desc.n_context, 8192), std::min<int64_t>(desc.n_context, 1 << 30)}) {
    const int64_t batch = std::min<int64_t>(n_positions, 512);
    const Plan plan = compile(desc, {.n_positions = n_positions, .max_batch = batch});
    CHECK(cache_bytes(plan) >= 0 && buffer_bytes(plan) > 0 && weight_bytes(plan) > 0, "memory");
    to_text(plan, batch, n_positions);
    to_json(plan, 1, n_positions);
  }
}

// A few tokens together and one more, whatever the weights are.
void run_model(const gguf::File& file, const BackendOptions& options) {
  const ModelDesc desc = load_model_desc(file);
  const Plan plan = compile(desc, {.n_positions = 8, .max_batch = 4, .max_logits = 4});
  const auto backend = make_backend(options);
  CHECK(backend->memory(plan).total() > 0, "{}", options.name);
  const auto model = backend->compile(plan);
  const auto last = static_cast<int32_t>(desc.n_vocab - 1);
  const std::vector<int32_t> tokens = {0, last, last / 2, last / 3}, positions = {0, 1, 2, 3},
                             slots = {0, 0, 0, 0};
  const std::vector<uint8_t> wanted = {0, 0, 1, 1};
  const auto run = [&](size_t at, size_t n) {
    const auto part = [&](const auto& all) { return std::span(all).subspan(at, n); };
    model->run({part(tokens), part(positions), part(slots), part(wanted)});
    CHECK(model->picked(0) >= 0 && model->picked(0) <= last, "picked {}", model->picked(0));
  };
  run(0, 3);
  run(3, 1);
}

constexpr Stage kStages[] = {
    {"container", false, read_everything},
    {"tokenizer", false, use_tokenizer},
    {"model", true, plan_model},
    {"reference", true,
     [](const gguf::File& file) {
       run_model(file, {"reference", 1, ""});
     }},
    {"cpu", true,
     [](const gguf::File& file) {
       for (const cpu::KernelSet* kernels : cpu::available_kernels())
         run_model(file, {"cpu", 1, std::string(kernels->name)});
     }},
};

}  // namespace

std::span<const Stage> stages() {
  return kStages;
}

}  // namespace plumb::test
