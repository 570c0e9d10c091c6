#include "measure/bench_cases.h"

#include <charconv>
#include <optional>

#include "base/error.h"
#include "base/text.h"

namespace plumb {
namespace {

constexpr size_t kMostValues = 4096;
constexpr size_t kMostCases = 4096;

// The number at the front of s, which is removed.
std::optional<int64_t> take_number(std::string_view& s) {
  int64_t value = 0;
  const auto [end, problem] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (problem != std::errc() || s.front() == '-') return std::nullopt;
  s.remove_prefix(static_cast<size_t>(end - s.data()));
  return value;
}

bool take(std::string_view& s, char c) {
  if (!s.starts_with(c)) return false;
  s.remove_prefix(1);
  return true;
}

// first, first-last, first-last+step, first-last*factor
struct Range {
  int64_t first, last, step = 1;
  bool multiplies = false;

  static std::optional<Range> parse(std::string_view s) {
    const auto first = take_number(s);
    if (!first) return std::nullopt;
    Range range{*first, *first};
    if (take(s, '-')) {
      const auto last = take_number(s);
      if (!last) return std::nullopt;
      range.last = *last;
      range.multiplies = s.starts_with('*');
      if (take(s, '+') || take(s, '*')) {
        const auto step = take_number(s);
        if (!step) return std::nullopt;
        range.step = *step;
      }
    }
    if (!s.empty()) return std::nullopt;
    return range;
  }
  bool grows() const { return multiplies ? step > 1 && first > 0 : step > 0; }
};

template <typename T>
void set_default(std::vector<T>& values, T value) {
  if (values.empty()) values.push_back(value);
}

void set_defaults(BenchLists& l, int default_threads) {
  set_default<int64_t>(l.n_prompt, 512);
  set_default<int64_t>(l.n_gen, 128);
  set_default<int64_t>(l.n_depth, 0);
  set_default<int64_t>(l.n_batch, 2048);
  set_default<int64_t>(l.n_ubatch, 512);
  set_default<int64_t>(l.n_threads, default_threads);
  set_default(l.type_k, Format::f16);
  set_default(l.type_v, Format::f16);
}

// One after another: every set-up of the lists, in the order that loads each model seldom.
void each_setup(const BenchLists& l, const auto& f) {
  for (const std::string& model : l.models)
    for (const int64_t batch : l.n_batch)
      for (const int64_t ubatch : l.n_ubatch)
        for (const Format k : l.type_k)
          for (const Format v : l.type_v)
            for (const int64_t threads : l.n_threads)
              f(BenchSetup{model, batch, ubatch, k, v, static_cast<int>(threads)});
}

void add_tests(const BenchLists& l, const BenchSetup& setup, std::vector<BenchCase>& cases) {
  const auto add = [&](BenchTest test) {
    if (test.n_prompt + test.n_gen == 0) return;
    if (cases.size() == kMostCases) fail("bench: expected at most {} tests, got more", kMostCases);
    cases.push_back({setup, test});
  };
  for (const int64_t depth : l.n_depth) {
    for (const int64_t n : l.n_prompt) add({n, 0, depth});
    for (const int64_t n : l.n_gen) add({0, n, depth});
    for (const auto& [prompt, gen] : l.prompt_and_gen) add({prompt, gen, depth});
  }
}

}  // namespace

std::vector<std::string> split_list(std::string_view list) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    parts.emplace_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::vector<int64_t> parse_ranges(std::string_view option, std::string_view list, int64_t min,
                                  int64_t max) {
  std::vector<int64_t> values;
  for (const std::string& part : split_list(list)) {
    const auto range = Range::parse(part);
    if (!range || range->first > range->last || (range->first < range->last && !range->grows()))
      fail("{}: expected numbers and ranges such as 1,2,4-8,16-64*2, got {}", option,
           plumb::quoted(list));
    if (range->first < min || range->last > max)
      fail("{}: expected numbers from {} to {}, got {}", option, min, max, plumb::quoted(part));
    for (int64_t n = range->first; n <= range->last;) {
      if (values.size() == kMostValues)
        fail("{}: expected at most {} values, got {}", option, kMostValues, plumb::quoted(list));
      values.push_back(n);
      if (range->step > max) break;
      n = range->multiplies ? n * range->step : n + range->step;
    }
  }
  return values;
}

std::string test_name(const BenchTest& t) {
  std::string name = t.n_prompt > 0 ? fmt::format("pp{}", t.n_prompt) : "";
  if (t.n_gen > 0) name += fmt::format("{}tg{}", name.empty() ? "" : "+", t.n_gen);
  return t.n_depth > 0 ? fmt::format("{} @ d{}", name, t.n_depth) : name;
}

std::vector<BenchCase> bench_cases(BenchLists lists, int default_threads) {
  set_defaults(lists, default_threads);
  std::vector<BenchCase> cases;
  each_setup(lists, [&](const BenchSetup& setup) { add_tests(lists, setup, cases); });
  if (cases.empty()) fail("bench: expected a test (-p, -n or -pg above 0), got none");
  return cases;
}

}  // namespace plumb
