#include "measure/bench_output.h"

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "base/text.h"

namespace plumb {
namespace {

using nlohmann::ordered_json;

std::string dump(const ordered_json& j, int indent = -1) {
  return j.dump(indent, ' ', false, ordered_json::error_handler_t::replace);
}

ordered_json whole(const BenchRecord& r) {
  ordered_json all = r.standard;
  for (const ordered_json* part : {&r.samples, &r.own, &r.own_samples}) all.update(*part);
  return all;
}

// As llama-bench writes values without types.
std::string bare(const ordered_json& value) {
  if (value.is_null()) return "";
  if (value.is_boolean()) return value.get<bool>() ? "1" : "0";
  if (value.is_number_float()) return fmt::format("{:.6f}", value.get<double>());
  return value.is_string() ? value.get<std::string>() : dump(value);
}

std::string between(const std::string& text, char quote) {
  std::string out(1, quote);
  for (const char c : text) out.append(c == quote ? 2 : 1, c);
  return out + quote;
}

std::string joined(const std::vector<std::string>& parts, const char* separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

std::vector<std::string> names_of(const ordered_json& object) {
  std::vector<std::string> names;
  for (const auto& [name, value] : object.items()) names.push_back(name);
  return names;
}

std::vector<std::string> values_of(const ordered_json& object, char quote) {
  std::vector<std::string> values;
  for (const auto& [name, value] : object.items()) values.push_back(between(bare(value), quote));
  return values;
}

class Json : public BenchOutput {
 public:
  std::string header() override { return "[\n"; }
  std::string record(const BenchRecord& r) override {
    std::string lines = dump(whole(r), 2);
    for (size_t at = 0; (at = lines.find('\n', at)) != std::string::npos; at += 3)
      lines.insert(at + 1, "  ");
    return std::exchange(separator_, ",\n") + "  " + lines;
  }
  std::string footer(const BuildInfo&) override { return "\n]\n"; }

 private:
  std::string separator_;
};

class JsonLines : public BenchOutput {
 public:
  std::string record(const BenchRecord& r) override { return dump(whole(r)) + "\n"; }
};

// The names stand above the first record: plumb's own columns behind llama-bench's.
class Csv : public BenchOutput {
 public:
  std::string record(const BenchRecord& r) override {
    ordered_json all = r.standard;
    all.update(r.own);
    std::string out = std::exchange(first_, false) ? joined(names_of(all), ",") + "\n" : "";
    return out + joined(values_of(all, '"'), ",") + "\n";
  }

 private:
  bool first_ = true;
};

// llama-bench's table, so that the rows of both go into one.
class Sql : public BenchOutput {
 public:
  std::string record(const BenchRecord& r) override {
    std::string out = std::exchange(first_, false) ? table(r.standard) : "";
    return out + fmt::format("INSERT INTO llama_bench ({}) VALUES ({});\n",
                             joined(names_of(r.standard), ", "),
                             joined(values_of(r.standard, '\''), ", "));
  }

 private:
  static std::string table(const ordered_json& standard) {
    std::vector<std::string> columns;
    for (const auto& [name, value] : standard.items())
      columns.push_back(fmt::format("  {} {}", name,
                                    value.is_string()         ? "TEXT"
                                    : value.is_number_float() ? "REAL"
                                                              : "INTEGER"));
    return fmt::format("CREATE TABLE IF NOT EXISTS llama_bench (\n{}\n);\n\n",
                       joined(columns, ",\n"));
  }
  bool first_ = true;
};

std::string size_text(int64_t bytes) {
  const auto mib = static_cast<double>(bytes) / (1 << 20);
  return mib < 1024 ? fmt::format("{:.2f} MiB", mib) : fmt::format("{:.2f} GiB", mib / 1024);
}

std::string parameters_text(int64_t n) {
  const auto x = static_cast<double>(n);
  return x < 1e9 ? fmt::format("{:.2f} M", x / 1e6) : fmt::format("{:.2f} B", x / 1e9);
}

// "39.2 GB/s, 87 %"
std::string limit_text(const ordered_json& own) {
  const bool reads = own["limited_by"] == "reads";
  std::string text = reads ? fmt::format("{:.1f} GB/s", own["gbps"].get<double>())
                           : fmt::format("{:.1f} GMAC/s", own["gmacs"].get<double>());
  if (own["share_of_limit"].is_null()) return text;
  return text + fmt::format(", {:.0f} %", 100 * own["share_of_limit"].get<double>());
}

struct Column {
  std::string name;
  int width;  // below 0: flush left
  std::function<std::string(const BenchRecord&)> value;

  // U+00B1 is two bytes and one character.
  std::string cell(const std::string& text) const {
    const size_t characters = text.size() - (text.find("\xc2\xb1") != std::string::npos);
    const auto wide = static_cast<size_t>(std::abs(width));
    const std::string fill(characters < wide ? wide - characters : 0, ' ');
    return width < 0 ? text + fill : fill + text;
  }
  std::string rule() const {
    const std::string dashes(static_cast<size_t>(std::abs(width)) - 1, '-');
    return dashes + (width < 0 ? "-" : ":");
  }
};

class Markdown : public BenchOutput {
 public:
  explicit Markdown(const std::vector<BenchCase>& cases) {
    const auto standard = [](const char* name) {
      return [name](const BenchRecord& r) { return bare(r.standard[name]); };
    };
    const auto interesting = [&](auto member, auto usual) {
      return std::ranges::any_of(cases,
                                 [&](const BenchCase& c) { return c.setup.*member != usual; });
    };
    columns_ = {
        {"model", -30, standard("model_type")},
        {"size", 10, [](const auto& r) { return size_text(r.standard["model_size"]); }},
        {"params", 10, [](const auto& r) { return parameters_text(r.standard["model_n_params"]); }},
        {"backend", -10, standard("backends")},
        {"threads", 7, standard("n_threads")}};
    if (interesting(&BenchSetup::n_batch, 2048))
      columns_.push_back({"n_batch", 7, standard("n_batch")});
    if (interesting(&BenchSetup::n_ubatch, 512))
      columns_.push_back({"n_ubatch", 8, standard("n_ubatch")});
    if (interesting(&BenchSetup::type_k, Format::f16))
      columns_.push_back({"type_k", 6, standard("type_k")});
    if (interesting(&BenchSetup::type_v, Format::f16))
      columns_.push_back({"type_v", 6, standard("type_v")});
    columns_.push_back({"of the limit", 19, [](const auto& r) { return limit_text(r.own); }});
    columns_.push_back({"test", 15, [](const auto& r) { return r.test; }});
    columns_.push_back({"t/s", 20, [](const auto& r) {
                          return fmt::format("{:.2f} \xc2\xb1 {:.2f}",
                                             r.standard["avg_ts"].template get<double>(),
                                             r.standard["stddev_ts"].template get<double>());
                        }});
  }

  std::string header() override {
    return row([](const Column& c) { return c.cell(c.name); }) +
           row([](const Column& c) { return c.rule(); });
  }
  std::string record(const BenchRecord& r) override {
    return row([&](const Column& c) { return c.cell(c.value(r)); });
  }
  std::string footer(const BuildInfo& build) override {
    return fmt::format("\nbuild: {} ({})\n", build.commit, build.number);
  }

 private:
  std::string row(const auto& cell) const {
    std::string line = "|";
    for (const Column& c : columns_) line += fmt::format(" {} |", cell(c));
    return line + "\n";
  }
  std::vector<Column> columns_;
};

}  // namespace

std::unique_ptr<BenchOutput> make_bench_output(std::string_view option, std::string_view format,
                                               const std::vector<BenchCase>& cases) {
  if (format == "md") return std::make_unique<Markdown>(cases);
  if (format == "csv") return std::make_unique<Csv>();
  if (format == "json") return std::make_unique<Json>();
  if (format == "jsonl") return std::make_unique<JsonLines>();
  if (format == "sql") return std::make_unique<Sql>();
  fail("{}: expected one of md, csv, json, jsonl, sql, got {}", option, plumb::quoted(format));
}

}  // namespace plumb
