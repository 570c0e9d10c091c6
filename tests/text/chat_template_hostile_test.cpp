// Templates that mean harm: each costs one Error within the limits of time and memory, and the next
// template renders.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "base/error.h"
#include "text/chat_template.h"

namespace plumb {
namespace {

using Json = nlohmann::ordered_json;
using testing::AnyOf;
using testing::HasSubstr;

std::string repeated(const std::string& text, int n) {
  std::string result;
  result.reserve(text.size() * static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) result += text;
  return result;
}

// "" when it rendered.
std::string error_of(TemplateRenderer& renderer, const std::string& source,
                     const TemplateInput& input = {}) {
  try {
    renderer.render(source, input);
    return "";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input) << e.what();
    return e.what();
  }
}

struct Hostile {
  const char* name;
  std::string source;
};

const std::string kDouble = "{% for i in range(99999) %}{% set ns.x = ns.x + ns.x %}{% endfor %}";
const std::string kForever =
    "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}"
    "{% endfor %}{% endfor %}";

std::vector<Hostile> hostile_templates() {
  return {
      {"endless_loop", kForever},
      {"endless_output", "{% for a in range(99999) %}{% for b in range(99999) %}" +
                             std::string(1000, 'x') + "{% endfor %}{% endfor %}"},
      {"endless_recursive_loop", "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}"},
      {"macro_recursion", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"},
      {"macro_bomb",
       "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}"
       "{{ m(60) }}"},
      {"macro_text_bomb",
       "{% macro m(n) %}{% if n %}{{ m(n - 1) ~ m(n - 1) }}{% else %}xxxxxxxx"
       "{% endif %}{% endmacro %}{{ m(60) }}"},
      {"caller_recursion",
       "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}"
       "{{ m() }}"},
      {"default_recursion", "{% macro m(a=m()) %}{% endmacro %}{{ m() }}"},
      {"block_recursion", "{% block a %}{{ self.a() }}{% endblock %}"},
      {"many_keywords",
       "{% macro m() %}{{ kwargs }}{% endmacro %}{{ m(" + repeated("a=1, ", 90000) + ") }}"},
      {"doubling_string", "{% set ns = namespace(x='ab') %}" + kDouble},
      {"doubling_list", "{% set ns = namespace(x=[1]) %}" + kDouble},
      {"doubling_tuple", "{% set ns = namespace(x=(1,)) %}" + kDouble},
      {"doubling_by_concat",
       "{% set ns = namespace(x='ab') %}{% for i in range(99) %}"
       "{% set ns.x = ns.x ~ ns.x %}{% endfor %}"},
      {"doubling_by_replace",
       "{% set ns = namespace(x='aa') %}{% for i in range(99) %}"
       "{% set ns.x = ns.x.replace('a', ns.x) %}{% endfor %}"},
      {"doubling_by_join",
       "{% set ns = namespace(x='aa') %}{% for i in range(99) %}"
       "{% set ns.x = ns.x.join(ns.x) %}{% endfor %}"},
      {"doubling_by_format",
       "{% set ns = namespace(x='aa') %}{% for i in range(99) %}"
       "{% set ns.x = '%s%s' % (ns.x, ns.x) %}{% endfor %}"},
      {"doubling_capture", "{% set x = 'ab' %}{% for i in range(1) %}" +
                               repeated("{% set x %}{{ x }}{{ x }}{% endset %}", 60) +
                               "{% endfor %}"},
      {"repr_bomb",
       "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}"
       "{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}"},
      {"json_bomb",
       "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}"
       "{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}"},
      {"comparison_bomb",
       "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}"
       "{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}"
       "{{ ns.x == ns.y }}"},
      {"deep_list",
       "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% for j in range(99999) %}"
       "{% set ns.x = [ns.x] %}{% endfor %}{% endfor %}"},
      {"deep_list_printed",
       "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}"
       "{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}"},
      {"cycle_printed", "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}"},
      {"cycle_to_json", "{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns.x | tojson }}"},
      {"indent", "{{ 'a\\nb' | indent(1000000000) }}"},
      {"json_indent", "{{ [1] | tojson(indent=1000000000) }}"},
      {"json_indent_deep", "{{ [[[[[[[[1, 2], 3], 4]]]]]] | tojson(indent=30000000) }}"},
      {"center", "{{ 'x' | center(1000000000) }}"},
      {"center_method", "{{ 'x'.center(10 ** 18) }}"},
      {"ljust", "{{ 'x'.ljust(10 ** 12) }}"},
      {"zfill", "{{ 'x'.zfill(10 ** 12) }}"},
      {"expandtabs", "{{ '\\t\\t'.expandtabs(10 ** 12) }}"},
      {"repeat_string", "{{ 'x' * 10 ** 9 }}"},
      {"repeat_string_constant", "{{ 'x' * 1000000000 }}"},
      {"repeat_list", "{{ [1] * 10 ** 9 }}"},
      {"repeat_list_constant", "{{ [1, 2] * 1000000000 }}"},
      {"many_constants", "{{ [" + repeated("'x' * 90000000,", 50) + "] | length }}"},
      {"range", "{{ range(10 ** 9) | list }}"},
      {"percent_width", "{{ '%1000000000d' % 1 }}"},
      {"percent_star", "{{ '%*d' % (10 ** 9, 1) }}"},
      {"percent_precision", "{{ '%.1000000000f' % 1.5 }}"},
      {"format_width", "{{ '{:1000000000}'.format(1) }}"},
      {"format_precision", "{{ '{:.1000000000f}'.format(1.5) }}"},
      {"format_zeros", "{{ '{:01000000000,}'.format(1) }}"},
      {"format_nested", "{{ '{:{}}'.format(1, 10 ** 9) }}"},
      {"huge_power", "{{ 10 ** 10 ** 10 }}"},
      {"batch_fill", "{{ [1] | batch(10 ** 9, 'x') | list }}"},
      {"slice_count", "{{ [1] | slice(10 ** 9) | list }}"},
      {"chained_plus", "{{ x" + repeated(" + 1", 100000) + " }}"},
      {"chained_concat", "{{ 1" + repeated(" ~ 1", 100000) + " }}"},
      {"chained_and", "{{ x" + repeated(" and x", 100000) + " }}"},
      {"chained_not", "{{ " + repeated("not ", 100000) + "x }}"},
      {"chained_minus", "{{ " + repeated("-", 100000) + "1 }}"},
      {"chained_filters", "{{ x" + repeated(" | list", 100000) + " }}"},
      {"chained_attributes", "{{ x" + repeated(".a", 100000) + " }}"},
      {"chained_items", "{{ x" + repeated("[0]", 100000) + " }}"},
      {"chained_calls", "{{ x" + repeated("()", 100000) + " }}"},
      {"chained_tests", "{{ x" + repeated(" is defined", 100000) + " }}"},
      {"chained_conditions", "{{ x" + repeated(" if x else x", 50000) + " }}"},
      {"chained_comparisons", "{{ x" + repeated(" < x", 100000) + " }}"},
      {"chained_elif", "{% if x %}" + repeated("{% elif x %}", 50000) + "{% endif %}"},
      {"nested_parentheses", "{{ " + repeated("(", 100000) + "1" + repeated(")", 100000) + " }}"},
      {"nested_lists", "{{ " + repeated("[", 100000) + repeated("]", 100000) + " }}"},
      {"nested_dicts", "{{ " + repeated("{'a':", 100000) + "1" + repeated("}", 100000) + " }}"},
      {"nested_ifs", repeated("{% if true %}", 50000) + repeated("{% endif %}", 50000)},
      {"nested_fors", repeated("{% for i in [1] %}", 20000) + repeated("{% endfor %}", 20000)},
      {"nested_sets", repeated("{% set x %}", 20000) + repeated("{% endset %}", 20000)},
      {"unclosed_tags", repeated("{% if x %}", 50000)},
      {"unclosed_comment", "{#" + repeated("x", 100000)},
      {"unclosed_string", "{{ '" + repeated("x", 100000)},
      {"huge_template", repeated("x", 50 << 20)},
      {"large_template", repeated("x", 2 << 20)},
      {"include_file", "{% include '/etc/passwd' %}"},
      {"import_file", "{% import '/etc/passwd' as x %}{{ x }}"},
      {"extend_file", "{% extends '/etc/passwd' %}"},
      {"invalid_utf8", "text \xff\xfe {{ 1 }}"},
      {"nul_in_expression", std::string("{{ 1 \0 }}", 9)},
      {"python_internals", "{{ ''.__class__.__mro__[1].__subclasses__() }}"},
  };
}

TEST(HostileTemplates, EachIsOneErrorAndTheNextRenders) {
  TemplateRenderer renderer{PLUMB_PROGRAM, {.time = std::chrono::milliseconds(1000)}};
  for (const auto& [name, source] : hostile_templates()) {
    SCOPED_TRACE(name);
    const auto start = std::chrono::steady_clock::now();
    const std::string error = error_of(renderer, source);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    EXPECT_THAT(error, HasSubstr("[template] "));
    EXPECT_LT(error.size(), 2000u);
    // The rest is for a loaded machine.
    EXPECT_LT(took.count(), 10.0);
    EXPECT_EQ(error_of(renderer, "{{ 6 * 7 }}"), "");
  }
}

TEST(HostileTemplates, SaysWhichLimitWasBroken) {
  TemplateRenderer renderer{PLUMB_PROGRAM, {.time = std::chrono::milliseconds(300)}};
  EXPECT_EQ(error_of(renderer, kForever),
            "[template] rendering: expected at most 300 ms, not done by then");
  TemplateRenderer small{PLUMB_PROGRAM, {.memory_bytes = int64_t{200} << 20}};
  // A list grows by one item a turn: nothing that a single operation could refuse.
  EXPECT_EQ(error_of(small, "{% macro m() %}" + repeated("xxxxxxxx", 20000) +
                                "{% endmacro %}{% for i in range(99999) %}{{ m() }}{% endfor %}"),
            "[template] rendering: expected at most 200.00 MiB, needs more memory");
  EXPECT_THAT(error_of(renderer, "{{ 'x' * 10 ** 9 }}"), HasSubstr("out of memory"));
  TemplateRenderer patient{PLUMB_PROGRAM, {.time = std::chrono::seconds(60)}};
  EXPECT_EQ(error_of(patient, "{{ 'x' * 10 ** 7 }}{{ 'x' * 10 ** 7 }}"),
            "[template] the rendered text: expected at most 16.00 MiB, got 19.07 MiB");
}

TEST(HostileTemplates, InputsBeyondTheLimitsAreRefused) {
  TemplateRenderer renderer{PLUMB_PROGRAM};
  TemplateInput input;
  Json deep = "x";
  for (int i = 0; i < 300; ++i) deep = Json::array({std::move(deep)});
  input.messages = deep;
  EXPECT_THAT(error_of(renderer, "{{ messages }}", input), HasSubstr("messages: expected at most"));
  input.messages = std::string(40 << 20, 'x');
  EXPECT_THAT(error_of(renderer, "{{ 1 }}", input), HasSubstr("template and messages: expected"));
  input.messages = "\xff";
  EXPECT_THAT(error_of(renderer, "{{ messages }}", input), HasSubstr("not UTF-8"));
  EXPECT_EQ(error_of(renderer, "{{ 1 }}"), "");
}

TEST(HostileTemplates, LargeHonestConversationsRender) {
  TemplateRenderer renderer{PLUMB_PROGRAM, {.time = std::chrono::seconds(60)}};
  TemplateInput input;
  const std::string content(4 << 20, 'c');
  for (int i = 0; i < 3; ++i) input.messages.push_back({{"role", "user"}, {"content", content}});
  const std::string text = renderer.render(
      "{% for m in messages %}{{ m.role + ': ' + m.content | trim }}\n{% endfor %}", input);
  EXPECT_EQ(text.size(), 3 * (content.size() + 7));
}

TEST(TemplateWorker, IsReplacedWhenItDied) {
  TemplateRenderer renderer{PLUMB_PROGRAM, {.time = std::chrono::seconds(60)}};
  EXPECT_EQ(renderer.render("{{ 1 }}", {}), "1");
  // No other child of this test lives now.
  const std::string pids =
      "/proc/" + std::to_string(getpid()) + "/task/" + std::to_string(getpid()) + "/children";
  std::FILE* file = std::fopen(pids.c_str(), "r");
  if (!file) GTEST_SKIP() << pids << " is not there";
  int worker = 0;
  ASSERT_EQ(std::fscanf(file, "%d", &worker), 1);
  std::fclose(file);
  ASSERT_EQ(kill(worker, SIGKILL), 0);
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(worker), &info, WEXITED | WNOWAIT);
  EXPECT_EQ(renderer.render("{{ 2 }}", {}), "2");
}

TEST(TemplateWorker, IsReplacedWhenATemplateLeftMemoryBehind) {
  TemplateRenderer renderer{PLUMB_PROGRAM, {.time = std::chrono::seconds(60)}};
  // A namespace that holds itself is never freed.
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(renderer.render("{% set ns = namespace() %}{% set ns.me = ns %}"
                              "{% set ns.text = 'x' * 60000000 %}{{ ns.text | length }}",
                              {}),
              "60000000");
  }
}

TEST(TemplateWorker, ManyThreadsHaveOneEach) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      TemplateRenderer renderer{PLUMB_PROGRAM, {.time = std::chrono::seconds(60)}};
      TemplateInput input;
      input.variables["t"] = t;
      for (int i = 0; i < 20; ++i) EXPECT_EQ(renderer.render("{{ t }}", input), std::to_string(t));
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(TemplateWorker, AProgramThatIsNoneIsAFaultOfTheMachine) {
  for (const char* program : {"/nonexistent/plumb", "/bin/false", "/bin/echo"}) {
    TemplateRenderer renderer{program, {.time = std::chrono::seconds(60)}};
    try {
      renderer.render("x", {});
      ADD_FAILURE() << program;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::machine) << e.what();
    }
  }
}

TEST(TemplateWorker, EndsWithGarbageOrSilenceOnItsInput) {
  const std::string program = PLUMB_PROGRAM;
  EXPECT_EQ(WEXITSTATUS(std::system((program + " template-worker </dev/null >/dev/null").c_str())),
            0);
  EXPECT_EQ(WEXITSTATUS(std::system(
                ("head -c 1000 /dev/zero | " + program + " template-worker >/dev/null").c_str())),
            2);
}

}  // namespace
}  // namespace plumb
