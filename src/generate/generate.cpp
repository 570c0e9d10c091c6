#include "generate/generate.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "generate/stop_strings.h"

namespace plumb {
namespace {

using OnText = std::function<void(std::string_view)>;

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// What becomes of a sampled token: bytes, whole characters, text that no stop string can take back.
class Emitter {
 public:
  Emitter(const Tokenizer& tokenizer, std::span<const int32_t> prompt,
          const std::vector<std::string>& stop, const OnText& on_text)
      : decoder_(tokenizer, false, prompt), stops_(stop), on_text_(on_text) {}

  void add(int32_t id) { pass_on(stops_.add(decoder_.add(id))); }
  void finish() {
    pass_on(stops_.add(decoder_.flush()));
    pass_on(stops_.flush());
  }
  bool stopped() const { return stops_.stopped(); }
  std::string take_text() { return std::move(text_); }

 private:
  void pass_on(const std::string& certain) {
    if (certain.empty()) return;
    text_ += certain;
    on_text_(certain);
  }

  StreamDecoder decoder_;
  StopStrings stops_;
  const OnText& on_text_;
  std::string text_;
};

// False: asked to stop.
bool feed_prompt(Session& session, std::span<const int32_t> ids, const GenerateOptions& options) {
  while (!ids.empty()) {
    const auto piece = ids.first(std::min(ids.size(), static_cast<size_t>(options.feed_tokens)));
    if (!session.feed(piece, options.stop_request)) return false;
    ids = ids.subspan(piece.size());
  }
  return true;
}

StopReason sample_on(Session& session, Sampler& sampler, const GenerateOptions& options,
                     Emitter& out, Generation& result) {
  const Tokenizer& tokenizer = session.engine().tokenizer();
  const auto n_vocab = static_cast<size_t>(sampler.n_vocab());
  const std::string file = session.engine().file().path().string();
  const auto is_long_enough = [&] {
    return static_cast<int64_t>(result.ids.size()) == options.max_tokens;
  };
  for (;;) {
    if (is_long_enough()) return StopReason::length;
    const int32_t id =
        within(file, [&] { return sampler.sample(session.logits().first(n_vocab)); });
    sampler.accept(id);
    if (tokenizer.is_end(id)) return StopReason::eos;
    result.ids.push_back(id);
    out.add(id);
    if (out.stopped()) return StopReason::stop_string;
    if (is_long_enough() || session.room() == 0) return StopReason::length;
    if (!session.feed({&id, 1}, options.stop_request)) return StopReason::interrupt;
    ++result.decoded_tokens;
  }
}

}  // namespace

std::string_view stop_reason_name(StopReason reason) {
  constexpr std::string_view kNames[] = {"eos", "length", "stop_string", "interrupt"};
  return kNames[static_cast<size_t>(reason)];
}

// Rows of logits beyond the tokenizer's last token are padding that was never trained.
Sampler make_sampler(const Engine& engine, SamplerOptions options, bool ignore_eos) {
  const Tokenizer& tokenizer = engine.tokenizer();
  const int64_t n_vocab = std::min<int64_t>(tokenizer.n_tokens(), engine.plan().n_vocab);
  const auto forbid_known = [&](std::span<const int32_t> ids) {
    for (const int32_t id : ids)
      if (id < n_vocab) forbid(options, {&id, 1});
  };
  forbid_known(tokenizer.suppressed());
  if (ignore_eos) forbid_known(tokenizer.end_tokens());
  return Sampler(options, static_cast<int32_t>(n_vocab),
                 static_cast<int32_t>(engine.plan().options.n_positions));
}

Generation generate(Session& session, Sampler& sampler, std::span<const int32_t> prompt,
                    const GenerateOptions& options, const OnText& on_text) {
  if (prompt.empty()) fail("prompt: expected at least one token, got none");
  const int64_t n_positions = session.engine().plan().options.n_positions;
  const auto n_prompt = static_cast<int64_t>(prompt.size());
  if (n_prompt > n_positions)
    fail("prompt: expected at most {} tokens (the context, -c), got {}", n_positions, n_prompt);

  Emitter out(session.engine().tokenizer(), prompt, options.stop, on_text);
  Generation result{.prompt_tokens = n_prompt};
  const Stopwatch prompt_time;
  result.reused_tokens = session.reuse_prefix(prompt);
  sampler.read(prompt);
  const auto rest = prompt.subspan(static_cast<size_t>(result.reused_tokens));
  const bool fed = feed_prompt(session, rest, options);
  result.prompt_seconds = prompt_time.seconds();
  result.fed_tokens = static_cast<int64_t>(session.ids().size()) - result.reused_tokens;

  const Stopwatch generate_time;
  result.stop = fed ? sample_on(session, sampler, options, out, result) : StopReason::interrupt;
  out.finish();
  if (out.stopped()) result.stop = StopReason::stop_string;
  result.generate_seconds = generate_time.seconds();
  result.text = out.take_text();
  return result;
}

}  // namespace plumb
