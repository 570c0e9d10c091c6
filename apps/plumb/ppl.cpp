// plumb ppl: perplexity of a text, and how far one configuration of a model is from another.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "command.h"
#include "generate/logits_reader.h"
#include "interrupt.h"
#include "measure/kl_base.h"
#include "measure/perplexity.h"
#include "measuring.h"
#include "options.h"
#include "output.h"

namespace plumb {
namespace {

using nlohmann::ordered_json;

// Rows of logits held at once.
constexpr int64_t kRows = 64;
constexpr int64_t kDefaultWindow = 512;

struct PplOptions {
  TextOptions text;
  ModelOptions model;
  std::optional<std::string> kl_base, base_model, base_backend, base_cpu, base_k, base_v;
  int64_t chunks = -1;
  bool json = false;

  bool has_base_run() const { return base_model || base_backend || base_cpu || base_k || base_v; }
};

EngineOptions engine_options(const ModelOptions& model) {
  EngineOptions out = model.engine_options();
  if (out.plan.n_positions == 0) out.plan.n_positions = kDefaultWindow;
  out.plan.max_logits = std::min(kRows, out.plan.max_batch);
  return out;
}

// The base is the same run but for what was said of it.
std::unique_ptr<Engine> base_engine(const PplOptions& options) {
  if (!options.has_base_run()) return nullptr;
  ModelOptions model = options.model;
  BackendOptions& backend = model.engine.backend;
  if (options.base_model) model.model = *options.base_model;
  if (options.base_backend) backend.name = *options.base_backend;
  // Another backend does not take over what was said of the first.
  if (backend.name != options.model.engine.backend.name) {
    backend.cpu.clear();
    backend.no_repack = false;
  }
  if (options.base_cpu) backend.cpu = *options.base_cpu;
  if (options.base_k) model.engine.plan.cache_k = parse_cache_format("--base-ctk", *options.base_k);
  if (options.base_v) model.engine.plan.cache_v = parse_cache_format("--base-ctv", *options.base_v);
  return within("--base-...",
                [&] { return std::make_unique<Engine>(model.path(), engine_options(model)); });
}

Windows windows_of(const PplOptions& options, const Engine& engine) {
  std::string text = options.text.read("ppl");
  // The newline that editors put at the end of a file, as the reference runtime does.
  if (options.text.file && text.ends_with('\n')) text.pop_back();
  const Tokenizer& tokenizer = engine.tokenizer();
  const bool begins = tokenizer.adds_bos() && tokenizer.bos();
  return Windows(tokenizer.encode(text, {.parse_special = false}),
                 engine.plan().options.n_positions, begins ? *tokenizer.bos() : -1, options.chunks);
}

// What the logits are compared with, position by position: a second engine, a file, or nothing.
class Base {
 public:
  Base(const PplOptions& options, Engine& tested, Windows& windows, const std::atomic<bool>* stop)
      : engine_(base_engine(options)) {
    const int64_t n_vocab = tested.plan().n_vocab;
    if (engine_) {
      if (engine_->plan().n_vocab != n_vocab)
        fail("ppl: expected a base with the same vocabulary of {} tokens, got {}", n_vocab,
             engine_->plan().n_vocab);
      logits_.emplace(*engine_, stop);
    } else if (options.kl_base && std::filesystem::exists(*options.kl_base)) {
      recorded_.emplace(*options.kl_base, windows, n_vocab);
      recorded_name_ = *options.kl_base;
    } else if (options.kl_base) {
      writer_.emplace(*options.kl_base, windows, n_vocab);
    }
  }

  bool exists() const { return logits_ || recorded_; }
  void start(std::span<const int32_t> ids, int64_t first) {
    if (logits_) logits_->start(ids, first);
  }
  void next() {
    if (logits_) logits_->next();
  }
  Distribution at(int64_t position) {
    return logits_ ? Distribution(logits_->logits(position)) : recorded_->next();
  }
  double ln_p(const Distribution& distribution, int32_t following) {
    return recorded_ ? recorded_->ln_p(distribution, following) : distribution.ln_p(following);
  }
  void record(std::span<const float> logits, int32_t following) {
    if (writer_) writer_->add(logits, following);
  }
  int64_t cut_off() const { return recorded_ ? recorded_->cut_off() : 0; }
  // The model's file, or the record.
  std::string name() const { return engine_ ? engine_->file().path().string() : recorded_name_; }
  void commit() {
    if (writer_) writer_->commit();
  }
  bool recorded() const { return writer_.has_value(); }

 private:
  std::unique_ptr<Engine> engine_;
  std::optional<LogitsReader> logits_;
  std::optional<KlBaseReader> recorded_;
  std::string recorded_name_;
  std::optional<KlBaseWriter> writer_;
};

struct Scores {
  std::vector<double> nll, base_nll;
  std::vector<Divergence> divergences;
};

// -ln p of what follows. Error: not finite.
double checked_nll(double ln_p, const std::string& file) {
  if (!std::isfinite(ln_p)) fail("ppl: {}: expected finite logits, got {}", file, ln_p);
  return -ln_p;
}

void score(Engine& tested, Base& base, Windows& windows, const std::atomic<bool>* stop,
           Scores& scores) {
  LogitsReader reader(tested, stop);
  const bool shown = stderr_is_terminal();
  for (int64_t w = 0; w < windows.size(); ++w) {
    const auto ids = windows.ids(w);
    const auto scored = ids.first(ids.size() - 1);  // nothing follows the last
    reader.start(scored, windows.first_scored());
    base.start(scored, windows.first_scored());
    for (;;) {
      const auto [begin, end] = reader.next();
      base.next();
      if (begin == end) break;
      for (int64_t i = begin; i < end; ++i) {
        const auto logits = reader.logits(i);
        const int32_t next = ids[static_cast<size_t>(i + 1)];
        const Distribution ours(logits);
        scores.nll.push_back(checked_nll(ours.ln_p(next), tested.file().path().string()));
        base.record(logits, next);
        if (!base.exists()) continue;
        const Distribution theirs = base.at(i);
        scores.base_nll.push_back(checked_nll(base.ln_p(theirs, next), base.name()));
        scores.divergences.push_back(diverge(theirs, ours, next));
      }
    }
    if (shown)
      write_err(fmt::format("\r{}/{} windows, ppl {:.4f} ", w + 1, windows.size(),
                            perplexity_of(scores.nll).ppl.value));
  }
  if (shown) write_err("\r\x1b[K");
}

ordered_json to_json(const Perplexity& p, const Windows& windows, const Engine& engine) {
  return {{"ppl", p.ppl.value},
          {"ppl_error", p.ppl.error},
          {"tokens", p.tokens},
          {"windows", windows.size()},
          {"context", windows.n_context()},
          {"model", engine.file().path().string()},
          {"backend", engine.backend().name()}};
}

void add_json(const Quality& q, ordered_json& out) {
  const auto add = [&](const std::string& name, const Estimate& e) {
    out[name] = e.value;
    out[name + "_error"] = e.error;
  };
  add("ppl_base", q.base.ppl);
  add("ln_ppl_ratio", q.ln_ratio);
  add("kld_mean", q.kld);
  add("kld_median", q.kld_median);
  add("kld_p90", q.kld_p90);
  add("kld_p99", q.kld_p99);
  add("kld_p999", q.kld_p999);
  out["kld_max"] = q.kld_max;
  add("same_top", q.same_top);
  add("delta_p_mean", q.delta_p);
  add("delta_p_rms", q.delta_p_rms);
}

std::string to_text(const Perplexity& p, const Windows& windows) {
  return fmt::format("perplexity    {:.4f} ± {:.4f}, {} tokens scored in {} windows of {}\n",
                     p.ppl.value, p.ppl.error, p.tokens, windows.size(), windows.n_context());
}

std::string to_text(const Quality& q) {
  const auto percent = [](const Estimate& e) {
    return fmt::format("{:.3f} ± {:.3f} %", 100 * e.value, 100 * e.error);
  };
  const auto number = [](const Estimate& e) {
    return fmt::format("{:.6f} ± {:.6f}", e.value, e.error);
  };
  return fmt::format(
             "of the base   {:.4f} ± {:.4f}, ln of the ratio {:+.5f} ± {:.5f}\n"
             "KL divergence {} mean, {} median, {} p90, {} p99, {} p99.9, {:.6f} largest\n",
             q.base.ppl.value, q.base.ppl.error, q.ln_ratio.value, q.ln_ratio.error, number(q.kld),
             number(q.kld_median), number(q.kld_p90), number(q.kld_p99), number(q.kld_p999),
             q.kld_max) +
         fmt::format(
             "same top      {}\n"
             "true token    {} mean change of its probability, {} root of the mean square\n",
             percent(q.same_top), percent(q.delta_p), percent(q.delta_p_rms));
}

int run(const PplOptions& options) {
  Engine tested(options.model.path(), engine_options(options.model));
  Windows windows = windows_of(options, tested);
  const Interruptible ctrl_c;
  Base base(options, tested, windows, &ctrl_c.flag());
  Scores scores;
  score(tested, base, windows, &ctrl_c.flag(), scores);
  base.commit();
  const Perplexity ppl = perplexity_of(scores.nll);
  ordered_json json = to_json(ppl, windows, tested);
  std::string text = to_text(ppl, windows);
  if (base.exists()) {
    const Quality q = quality_of(scores.divergences, scores.base_nll, scores.nll);
    add_json(q, json);
    json["base_tokens_cut_off"] = base.cut_off();
    text += to_text(q);
    if (base.cut_off() > 0)
      text += fmt::format(
          "{} of the tokens are less likely than the record can say: its "
          "perplexity is larger\n",
          base.cut_off());
  }
  if (base.recorded()) {
    json["kl_base_written"] = *options.kl_base;
    text += fmt::format("{}: written, a base for later runs\n", *options.kl_base);
  }
  options.json ? write_json(json) : write_out(text);
  return 0;
}

}  // namespace

int ppl_command(std::vector<std::string> words) {
  PplOptions options;
  Measuring measuring("ppl", words);
  Arguments arguments("ppl",
                      "perplexity of a text as llama.cpp counts it; against a base, what a "
                      "configuration costs in quality",
                      "plumb ppl -f text.txt -c 512 --base-backend reference");
  options.text.attach(arguments);
  arguments.integer("--chunks", options.chunks, -1, INT32_MAX,
                    "at most N windows of -c tokens (of 512 without -c), -1: all");
  arguments.text("--base-backend", options.base_backend, "compares with the same on this backend");
  arguments.text("--base-cpu", options.base_cpu, "compares with the same on this instruction set");
  arguments.text("--base-ctk", options.base_k, "compares with keys cached in this format");
  arguments.text("--base-ctv", options.base_v, "compares with values cached in this format");
  arguments.text("--base-model", options.base_model, "compares with another file of the model");
  arguments.text(
      "--kl-base", options.kl_base,
      "compares with the log-probabilities in this file; where there is none, writes it");
  arguments.flag("--json", options.json, "the same as one JSON object");
  options.model.attach(arguments);
  measuring.attach(arguments);
  if (!arguments.parse(words)) return 0;
  if (options.kl_base && options.has_base_run())
    fail("ppl: expected one of --kl-base and --base-..., got both");
  if (options.chunks == 0) fail("--chunks: expected -1 or an integer from 1, got 0");
  measuring.start();
  return run(options);
}

}  // namespace plumb
