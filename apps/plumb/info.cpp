// plumb info: what a file is, what it will take, and what the machine is.

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/machine.h"
#include "base/text.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "plan/cache_pools.h"
#include "stats.h"

namespace plumb {
namespace {

using nlohmann::ordered_json;

struct InfoOptions {
  ModelOptions model;
  bool json = false, tensors = false, machine = false;
};

ordered_json machine_json(const BackendOptions& options) {
  ordered_json backends = ordered_json::object();
  for (const std::string& name : backend_names()) {
    if (name == "auto") continue;
    ordered_json facts = ordered_json::object();
    for (const auto& [label, value] :
         make_backend({.name = name, .n_threads = options.n_threads})->describe())
      facts[label] = value;
    backends[name] = std::move(facts);
  }
  return {{"processors", usable_processors()},
          {"threads", default_threads()},
          {"available_memory_bytes", available_memory_bytes()},
          {"auto_backend", make_backend({})->name()},
          {"backends", std::move(backends)}};
}

std::string machine_text(const ordered_json& m) {
  std::string out = fmt::format("{} processors, {} threads by default, {} of memory available\n",
                                m["processors"].get<int>(), m["threads"].get<int>(),
                                human_bytes(m["available_memory_bytes"].get<int64_t>()));
  for (const auto& [name, facts] : m["backends"].items()) {
    out += fmt::format("backend {}{}\n", name, name == m["auto_backend"] ? " (auto)" : "");
    for (const auto& [label, value] : facts.items())
      out += fmt::format("  {:<18} {}\n", label, value.get<std::string>());
  }
  return out;
}

std::map<std::string, int64_t> bytes_by_format(const gguf::File& file) {
  std::map<std::string, int64_t> bytes;
  for (int64_t i = 0; i < file.n_tensors(); ++i) {
    const auto tensor = file.tensor(i);
    bytes[std::string(format_info(tensor.format).name)] += static_cast<int64_t>(tensor.data.size());
  }
  return bytes;
}

int64_t parameters(const gguf::File& file) {
  int64_t n = 0;
  for (int64_t i = 0; i < file.n_tensors(); ++i) n = saturating_add(n, file.tensor(i).n_elements());
  return n;
}

ordered_json tensors_json(const gguf::File& file) {
  ordered_json list = ordered_json::array();
  for (int64_t i = 0; i < file.n_tensors(); ++i) {
    const auto t = file.tensor(i);
    list.push_back({{"name", t.name},
                    {"format", format_info(t.format).name},
                    {"shape", std::vector<int64_t>(t.ne.begin(), t.ne.begin() + t.n_dims)},
                    {"bytes", t.data.size()}});
  }
  return list;
}

ordered_json vocabulary_json(const gguf::Metadata& metadata) {
  if (!metadata.has("tokenizer.ggml.model")) return nullptr;
  const auto tokenizer = Tokenizer::load(metadata);
  return {{"model", tokenizer->model()},
          {"pre", tokenizer->pre()},
          {"tokens", tokenizer->n_tokens()},
          {"chat_template", metadata.has("tokenizer.chat_template")}};
}

ordered_json layers_json(const ModelDesc& model) {
  std::map<std::string, int> kinds;
  for (const Layer& layer : model.layers)
    ++kinds[std::holds_alternative<Attention>(layer.mixer) ? "attention" : "delta_net"];
  return kinds;
}

// Of the experts that a token does not use.
int64_t idle_expert_parameters(const ModelDesc& model) {
  int64_t idle = 0;
  for (const Layer& layer : model.layers)
    if (const auto* f = std::get_if<MoeFfn>(&layer.ffn)) {
      int64_t experts = f->gate.weight.elements() + f->down.weight.elements();
      if (f->up.weight.name != f->gate.weight.name) experts += f->up.weight.elements();
      idle += experts / f->n_experts * (f->n_experts - f->n_used);
    }
  return idle;
}

// Of tables of which a token reads a row, unless the head multiplies by them too.
int64_t idle_table_parameters(const Plan& plan) {
  const auto multiplies = [&](std::string_view name) {
    return std::ranges::any_of(plan.steps, [&](const Step& step) {
      return std::ranges::any_of(matrices_of(step), [&](const Tensor* t) {
        return t != table_of(step) && t->name == name;
      });
    });
  };
  int64_t idle = 0;
  for (const Step& step : plan.steps)
    if (const Tensor* table = table_of(step); table && !multiplies(table->name))
      idle += table->elements() - table->columns;
  return idle;
}

// Bytes of all experts in the file.
int64_t expert_bytes(const Plan& plan) {
  std::map<std::string_view, int64_t> bytes;
  for (const Step& step : plan.steps)
    for (const WeightUse& use : weight_uses(step))
      if (use.path == Path::routed_experts && use.bytes_per_token < use.tensor->bytes())
        bytes[use.tensor->name] = use.tensor->bytes();
  int64_t all = 0;
  for (const auto& [name, n] : bytes) all = saturating_add(all, n);
  return all;
}

// Of blocks at the end of the file that are left out.
int64_t left_out_parameters(const gguf::File& file, const ModelDesc& model) {
  if (model.n_left_out == 0) return 0;
  int64_t read = 0;
  for (const Tensor* t : tensors_of(model)) read += t->elements();
  return parameters(file) - read;
}

// What the cache grows by, and what layers with a window hold at most of one sequence: the window,
// a batch and what fills their pages.
ordered_json cache_json(const Plan& plan) {
  int64_t per_position = 0, windows = 0;
  const std::vector<CachePool> pools = cache_pools(plan);
  for (const CacheLayer& layer : plan.cache.layers) {
    const int64_t bytes = plan.cache.bytes_per_position(layer);
    const CachePool& pool = pools[static_cast<size_t>(pool_of(pools, layer))];
    if (layer.window == 0)
      per_position = saturating_add(per_position, bytes);
    else
      windows =
          saturating_add(windows, saturating_mul(bytes, pool.sequence_pages * kPagePositions));
  }
  return {{"bytes_per_1000_positions", saturating_mul(1000, per_position)},
          {"window_bytes", windows}};
}

// What could be read of a file, and what kept the rest from being read.
struct FileFacts {
  ordered_json json;
  std::optional<ModelDesc> model;
  std::optional<Error> problem;  // a model or a vocabulary that is broken or that plumb knows not
};

void add_model(const gguf::File& file, const ModelDesc& model, const ModelOptions& options,
               ordered_json& json) {
  const EngineOptions engine = options.engine_options();
  const Plan plan = compile(model, with_defaults(engine.plan, model));
  const auto backend = make_backend(engine.backend);
  json["layers"] = layers_json(model);
  json["cache"] = cache_json(plan);
  json["context"] = plan.options.n_positions;
  json["backend"] = backend->name();
  const Memory memory = backend->memory(plan);
  json["memory"] = to_json(memory);
  json["snapshots"] = plan.options.n_snapshots;
  json["fits"] = memory.total() <= available_memory_bytes();
  const int64_t idle_experts = idle_expert_parameters(model);
  const int64_t parameters = json["parameters"].get<int64_t>() - left_out_parameters(file, model);
  json["parameters"] = parameters;
  json["active_parameters"] = parameters - idle_experts - idle_table_parameters(plan);
  json["left_out_layers"] = model.n_left_out;
  if (idle_experts == 0) return;
  // What must be in memory with every expert there, and with none.
  const auto total = [&](int64_t room) {
    BackendOptions limited = engine.backend;
    limited.room = room;
    return make_backend(limited)->memory(plan).total();
  };
  // Where weights stay in the file anyway, its pages with experts are memory too once these have
  // been chosen.
  const bool stay = engine.backend.no_repack || backend->name() == "reference";
  const int64_t paged = stay ? expert_bytes(plan) : 0;
  json["resident"] = {{"all_experts", saturating_add(total(INT64_MAX), paged)},
                      {"no_experts", total(1)}};
}

// Files with a vocabulary and nothing else have no model to describe and need no memory.
FileFacts facts_of(const gguf::File& file, const ModelOptions& options) {
  const gguf::Metadata& metadata = file.metadata();
  const std::string architecture(metadata.string("general.architecture"));
  const bool has_weights = file.n_tensors() > 0;
  FileFacts facts;
  facts.json = {
      {"file", file.path().string()},
      {"name", metadata.string_or("general.name", "")},
      {"architecture", architecture},
      {"parameters", parameters(file)},
      {"active_parameters", parameters(file)},
      {"tensors", file.n_tensors()},
      {"file_bytes", file.file_bytes()},
      {"context_length", metadata.integer_or(architecture + ".context_length", 0, 0, INT64_MAX)},
      {"vocabulary_only", !has_weights},
      {"layers", ordered_json::object()},
      {"left_out_layers", 0},
      {"cache", nullptr},
      {"formats", bytes_by_format(file)},
      {"vocabulary", nullptr},
      {"context", 0},
      {"backend", nullptr},
      {"resident", nullptr},
      {"memory", has_weights ? ordered_json() : to_json(Memory())},
      {"fits", true},
      {"snapshots", 0},
      {"problem", nullptr}};
  const auto attempt = [&facts](auto read) {
    try {
      read();
    } catch (const Error& e) {
      facts.problem = e;
      facts.json["problem"] = e.what();
    }
  };
  attempt([&] { facts.json["vocabulary"] = vocabulary_json(metadata); });
  if (has_weights) attempt([&] { facts.model = load_model_desc(file); });
  if (facts.model) add_model(file, *facts.model, options, facts.json);
  return facts;
}

std::string vocabulary_text(const ordered_json& v) {
  if (v.is_null()) return "no vocabulary";
  return fmt::format(
      "{} tokens, {}{}{}, {}", v["tokens"].get<int32_t>(), v["model"].get<std::string>(),
      v["pre"] == "" ? "" : " ", v["pre"].get<std::string>(),
      v["chat_template"] ? "with a chat template" : "no chat template (ChatML is used)");
}

std::string architecture_text(const ordered_json& facts) {
  std::string formats;
  for (const auto& [format, bytes] : facts["formats"].items())
    formats += fmt::format("{}{} {}", formats.empty() ? "" : ", ", format,
                           human_bytes(bytes.get<int64_t>()));
  if (formats.empty()) formats = "none";
  return fmt::format("{}, {} parameters, context {}\nformats      {}\n",
                     printable(facts["architecture"].get<std::string>()),
                     facts["parameters"].get<int64_t>(), facts["context_length"].get<int64_t>(),
                     formats);
}

std::string file_text(const gguf::File& file, const FileFacts& all) {
  const ordered_json& facts = all.json;
  const auto bytes = [](const ordered_json& v) { return human_bytes(v.get<int64_t>()); };
  std::string out = fmt::format("{}\n", facts["file"].get<std::string>());
  if (facts["name"] != "")
    out += fmt::format("name         {}\n", printable(facts["name"].get<std::string>()));
  out += fmt::format("file         {}, {} tensors\n", bytes(facts["file_bytes"]), file.n_tensors());
  if (!all.problem || !facts["vocabulary"].is_null())
    out += fmt::format("vocabulary   {}\n", vocabulary_text(facts["vocabulary"]));
  if (all.problem && !all.model) return out + architecture_text(facts);
  if (facts["vocabulary_only"])
    return out +
           fmt::format(
               "{}: a vocabulary only; it tokenizes and renders templates, it has no weights\n",
               printable(facts["architecture"].get<std::string>()));
  out += to_text(*all.model);
  const ordered_json& m = facts["memory"];
  const ordered_json& cache = facts["cache"];
  out +=
      fmt::format("cache        {} per 1,000 positions", bytes(cache["bytes_per_1000_positions"]));
  if (cache["window_bytes"] > 0)
    out += fmt::format(", and at most {} for layers with a window", bytes(cache["window_bytes"]));
  out += "\n";
  out += fmt::format(
      "memory       {} at {} positions, backend {}: weights {}, cache {}, state {}{}, scratch "
      "{}{}\n",
      bytes(m["total"]), facts["context"].get<int64_t>(), facts["backend"].get<std::string>(),
      bytes(m["weights"]), bytes(m["kv"]), bytes(m["state"]),
      m["state"] > 0 ? fmt::format(" (now and {} times before)", facts["snapshots"].get<int64_t>())
                     : "",
      bytes(m["scratch"]),
      mapped_text(m["mapped"].get<int64_t>(), m["mapped_experts"].get<int64_t>()));
  if (!facts["fits"].get<bool>())
    out += fmt::format("             more than the {} available now\n",
                       human_bytes(available_memory_bytes()));
  if (!facts["resident"].is_null())
    out += fmt::format(
        "experts      {:.1f} M parameters work on a token; resident {} with all experts, {} with "
        "none (they are then read from the file when chosen)\n",
        static_cast<double>(facts["active_parameters"].get<int64_t>()) / 1e6,
        bytes(facts["resident"]["all_experts"]), bytes(facts["resident"]["no_experts"]));
  return out;
}

std::string tensors_text(const ordered_json& tensors) {
  std::string out;
  for (const auto& t : tensors)
    out += fmt::format("{:<32} {:<8} {:<20} {:>12}\n", printable(t["name"].get<std::string>()),
                       t["format"].get<std::string>(),
                       fmt::format("{}", fmt::join(t["shape"].get<std::vector<int64_t>>(), " x ")),
                       t["bytes"].get<int64_t>());
  return out;
}

// Returns what kept the file from being read whole.
std::optional<Error> show_file(const InfoOptions& options, ordered_json& all) {
  const auto file = gguf::File::open(options.model.path());
  const FileFacts facts = facts_of(file, options.model);
  const ordered_json tensors = options.tensors ? tensors_json(file) : ordered_json::array();
  if (!options.json) write_out(file_text(file, facts) + tensors_text(tensors));
  all.update(facts.json);
  if (options.tensors) all["tensor_list"] = tensors;
  return facts.problem;
}

}  // namespace

int info_command(std::vector<std::string> words) {
  InfoOptions options;
  Arguments arguments("info",
                      "what a file is: shapes, formats, bytes, and its memory at a given -c",
                      "plumb info -m model.gguf -c 4096");
  options.model.attach(arguments);
  arguments.flag("--machine", options.machine,
                 "the machine and the kernels chosen for it; a file only with -m");
  arguments.flag("--tensors", options.tensors, "every tensor");
  arguments.flag("--json", options.json, "the same as JSON; sizes in bytes");
  if (!arguments.parse(words)) return 0;
  ordered_json all = ordered_json::object();
  std::optional<Error> problem;
  if (!options.machine || !options.model.model.empty()) problem = show_file(options, all);
  if (options.machine) {
    const ordered_json machine = machine_json(options.model.engine.backend);
    if (!options.json) write_out(machine_text(machine));
    all["machine"] = machine;
  }
  if (options.json) write_json(all);
  if (problem) throw *problem;  // after all that can be said of the file
  return 0;
}

}  // namespace plumb
