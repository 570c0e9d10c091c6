// plumb logits: what the model thinks after every token, as numbers.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "command.h"
#include "generate/logits_reader.h"
#include "ids.h"
#include "interrupt.h"
#include "options.h"
#include "output.h"

namespace plumb {
namespace {

using nlohmann::ordered_json;

// Rows of logits held at once: what bounds the memory, whatever the length of the input.
constexpr int64_t kRows = 64;

struct LogitsOptions {
  TextOptions text;
  ModelOptions model;
  std::optional<std::string> ids, out;
  int64_t top = 0;
  bool no_special = false, no_bos = false, json = false;
};

std::vector<int32_t> input_ids(const LogitsOptions& options, const Engine& engine) {
  if (options.ids && options.text.given())
    fail("logits: expected one of --ids, -p and -f, got several");
  const auto ids = options.ids ? parse_ids("--ids", *options.ids, engine.plan().n_vocab)
                               : engine.tokenizer().encode(options.text.read("logits"),
                                                           {.add_bos = !options.no_bos,
                                                            .parse_special = !options.no_special});
  if (ids.empty()) fail("logits: expected at least one token, got none");
  return ids;
}

// The k largest of a row, largest first, the lower id first where they are equal.
std::vector<int32_t> largest(std::span<const float> row, int64_t k) {
  std::vector<int32_t> ids(row.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto before = [&](int32_t a, int32_t b) {
    const float x = row[static_cast<size_t>(a)], y = row[static_cast<size_t>(b)];
    if (std::isnan(x) != std::isnan(y)) return std::isnan(y);
    return x != y && !std::isnan(x) ? x > y : a < b;
  };
  const auto middle = ids.begin() + std::min<int64_t>(k, static_cast<int64_t>(ids.size()));
  std::partial_sort(ids.begin(), middle, ids.end(), before);
  ids.erase(middle, ids.end());
  return ids;
}

ordered_json top_json(std::span<const float> row, int64_t k, const Tokenizer* tokenizer) {
  ordered_json list = ordered_json::array();
  for (const int32_t id : largest(row, k)) {
    ordered_json entry{{"id", id}, {"logit", row[static_cast<size_t>(id)]}};
    if (tokenizer && id < tokenizer->n_tokens()) entry["piece"] = tokenizer->piece(id, true);
    list.push_back(std::move(entry));
  }
  return list;
}

// "3  17 " the"  5 12.5 " a""
std::string top_line(int64_t position, int32_t id, const ordered_json& top) {
  std::string line = fmt::format("{:5} {:6} ", position, id);
  for (const auto& entry : top)
    line += fmt::format("  {} {:.4f} {}", entry["id"].get<int32_t>(), entry["logit"].get<double>(),
                        plumb::quoted(entry.value("piece", "")));
  return line + "\n";
}

void require_numbers(const std::string& file, std::span<const float> row, int64_t position) {
  for (const float logit : row)
    if (!std::isfinite(logit))
      fail("{}: logits: expected finite numbers after token {}, got {}", file, position, logit);
}

EngineOptions engine_options(const LogitsOptions& options) {
  EngineOptions out = options.model.engine_options();
  out.plan.max_batch = out.plan.max_logits = std::min(out.plan.max_batch, kRows);
  return out;
}

int run(const LogitsOptions& options) {
  Engine engine(options.model.path(), engine_options(options));
  const std::vector<int32_t> ids = input_ids(options, engine);
  const int64_t n_positions = engine.plan().options.n_positions;
  if (static_cast<int64_t>(ids.size()) > n_positions)
    fail("logits: expected at most {} tokens (the context, -c), got {}", n_positions, ids.size());
  const bool has_tokenizer = engine.file().metadata().has("tokenizer.ggml.model");
  const Tokenizer* tokenizer = has_tokenizer ? &engine.tokenizer() : nullptr;

  std::optional<OutputFile> file;
  if (options.out && options.out != "-") file.emplace(*options.out);
  ordered_json all_top = ordered_json::array();
  const Interruptible ctrl_c;
  LogitsReader reader(engine, &ctrl_c.flag());
  reader.start(ids);
  for (auto range = reader.next(); range.begin < range.end; range = reader.next())
    for (int64_t i = range.begin; i < range.end; ++i) {
      const auto row = reader.logits(i);
      require_numbers(engine.file().metadata().file_name(), row, i);
      const std::string_view bytes(reinterpret_cast<const char*>(row.data()), row.size_bytes());
      if (file) file->write(bytes);
      if (options.out == "-") write_out(bytes);
      if (options.top == 0) continue;
      ordered_json top = top_json(row, options.top, tokenizer);
      if (!options.json)
        write_out(top_line(i, ids[static_cast<size_t>(i)], top));
      else
        all_top.push_back(std::move(top));
    }
  if (file) file->commit();
  if (options.json) {
    ordered_json result{{"n_tokens", ids.size()}, {"n_vocab", engine.plan().n_vocab}, {"ids", ids}};
    if (options.top > 0) result["top"] = std::move(all_top);
    write_json(result);
  }
  return 0;
}

}  // namespace

int logits_command(std::vector<std::string> words) {
  LogitsOptions options;
  Arguments arguments("logits",
                      "the logits after every token: f32 little-endian [tokens, vocabulary]",
                      "plumb logits -p 'The capital of France is' --top 5");
  arguments.text("--ids", options.ids, "token ids, with commas or spaces between them");
  options.text.attach(arguments);
  arguments.flag("--no-special", options.no_special, "control tokens in the text are text");
  arguments.flag("--no-bos", options.no_bos, "no begin token where the file asks for it");
  arguments.text("--out", options.out, "file for the logits, - is standard output");
  arguments.integer("--top", options.top, 1, INT32_MAX, "shows the K largest of every token");
  arguments.flag("--json", options.json,
                 "the ids, and with --top id, logit and piece of the largest");
  options.model.attach(arguments);
  if (!arguments.parse(words)) return 0;
  if (!options.out && options.top == 0) fail("logits: expected --out FILE or --top K, got neither");
  if (options.out == "-" && (options.top > 0 || options.json))
    fail("logits: expected --out - alone, got --top or --json too");
  return run(options);
}

}  // namespace plumb
