#include "generate/engine.h"

#include <algorithm>

#include "base/error.h"
#include "base/machine.h"
#include "base/text.h"

namespace plumb {

void require_memory(const std::filesystem::path& file, const Memory& memory, int64_t n_positions,
                    std::string_view hint) {
  const int64_t available = available_memory_bytes();
  if (memory.total() <= available) return;
  if (memory.weights > available) hint = "--no-repack leaves the weights in the file";
  fail(
      "{}: memory: expected at most {} (available now), got {}: weights {}, cache of {} positions "
      "{}, states {}, scratch {}; {}",
      file.string(), human_bytes(available), human_bytes(memory.total()),
      human_bytes(memory.weights), n_positions, human_bytes(memory.kv), human_bytes(memory.state),
      human_bytes(memory.scratch), hint);
}

PlanOptions with_defaults(PlanOptions options, const ModelDesc& model) {
  if (options.n_positions == 0) options.n_positions = std::min(model.n_context, kDefaultContext);
  if (options.n_positions == kWholeContext) options.n_positions = model.n_context;
  options.max_batch = std::min(options.max_batch, options.n_positions * options.n_sequences);
  options.max_logits = std::min(options.max_logits, options.max_batch);
  return options;
}

Engine::Engine(const std::filesystem::path& path, const EngineOptions& options)
    : file_(gguf::File::open(path)),
      model_(load_model_desc(file_)),
      plan_(compile(model_, with_defaults(options.plan, model_))),
      backend_(make_backend(options.backend)),
      memory_(backend_->memory(plan_)) {
  require_memory(file_.path(), memory_, plan_.options.n_positions);
  if (file_.metadata().has("tokenizer.ggml.model")) tokenizer_ = Tokenizer::load(file_.metadata());
  executable_ = backend_->compile(
      plan_, {.release_weights = [this](std::span<const uint8_t> bytes) { file_.release(bytes); }});
  file_.release();  // the vocabulary, and what lies between the weights
}

const Tokenizer& Engine::tokenizer() const {
  if (!tokenizer_)
    fail("{}: tokenizer.ggml.model: expected a tokenizer, got none", file_.path().string());
  return *tokenizer_;
}

}  // namespace plumb
