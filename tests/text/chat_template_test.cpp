// Chat templates against Python's jinja2: expected texts made by
// tools/make_template_expectations.py.
#include "text/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "gguf/gguf.h"
#include "gguf/writer.h"
#include "support/temp_folder.h"

namespace plumb {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

const std::filesystem::path kData = std::filesystem::path(PLUMB_TEST_DATA) / "templates";
const std::filesystem::path kFixtures =
    std::filesystem::path(PLUMB_SOURCE_DIR) / "../shared/fixtures/templates";

Json read_json(const std::filesystem::path& path) {
  return Json::parse(read_file(path));
}

// 2024-07-06 04:05:09, a Saturday, as in tools/template_reference.py.
std::tm pinned_time() {
  std::tm t{};
  t.tm_year = 124;
  t.tm_mon = 6;
  t.tm_mday = 6;
  t.tm_hour = 4;
  t.tm_min = 5;
  t.tm_sec = 9;
  t.tm_wday = 6;
  t.tm_yday = 187;
  return t;
}

// The context of a test file as input: names that TemplateInput has of its own are variables too,
// and win.
TemplateInput input_of(const Json& context) {
  TemplateInput input;
  input.variables = context;
  input.now = pinned_time();
  return input;
}

// Generous: a loaded machine is no failure here.
TemplateRenderer renderer() {
  return TemplateRenderer(PLUMB_PROGRAM, {.time = std::chrono::seconds(60)});
}

void expect_outcome(TemplateRenderer& renderer, const std::string& source, const Json& context,
                    const Json& expected) {
  std::string text, error;
  try {
    text = renderer.render(source, input_of(context));
  } catch (const Error& e) {
    error = e.what();
    EXPECT_EQ(e.code(), ErrorCode::bad_input);
  }
  if (expected.contains("text")) {
    EXPECT_EQ(error, "");
    EXPECT_EQ(text, expected["text"].get<std::string>());
  } else {
    EXPECT_NE(error, "") << "rendered " << text;
    if (expected.contains("raises")) {
      EXPECT_THAT(error, HasSubstr(expected["raises"].get<std::string>()));
    }
  }
}

TEST(ChatTemplate, FixturesRenderAsJinja2DoesUnderTransformers) {
  if (!exists(kFixtures)) GTEST_SKIP() << kFixtures << " is not there";
  const Json conversations = read_json(kData / "conversations.json");
  auto render = renderer();
  int n_templates = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kData / "expected")) {
    const auto name = entry.path().stem().string();
    const Json expected = read_json(entry.path());
    ASSERT_EQ(expected.size(), conversations.size());
    const std::string source = read_file(kFixtures / (name + ".jinja"));
    for (size_t i = 0; i < conversations.size(); ++i) {
      SCOPED_TRACE(name + ": " + conversations[i]["name"].get<std::string>());
      ASSERT_EQ(expected[i]["conversation"], conversations[i]["name"]);
      expect_outcome(render, source, conversations[i]["context"], expected[i]);
    }
    ++n_templates;
  }
  EXPECT_GE(n_templates, 43);
}

TEST(ChatTemplate, SnippetsMeanWhatTheyMeanInPython) {
  const Json snippets = read_json(kData / "snippets.json");
  const Json expected = read_json(kData / "snippets_expected.json");
  ASSERT_EQ(snippets["templates"].size(), expected.size());
  auto render = renderer();
  for (size_t i = 0; i < expected.size(); ++i) {
    const std::string source = snippets["templates"][i];
    SCOPED_TRACE(source);
    expect_outcome(render, source, snippets["context"], expected[i]);
  }
}

TEST(ChatTemplate, GivesTemplatesWhatTransformersGivesThem) {
  TemplateInput input;
  input.messages = Json::parse(R"([{"role": "user", "content": "hi"}])");
  input.bos_token = "<s>";
  input.eos_token = "</s>";
  input.variables["extra"] = 7;
  input.variables["eos_token"] = "replaced";
  const std::string text = renderer().render(
      "{{ bos_token }}{{ eos_token }}{{ messages[0].content }}{{ tools }}{{ documents }}"
      "{{ add_generation_prompt }}{{ extra }}{{ missing is defined }}",
      input);
  EXPECT_EQ(text, "<s>replacedhiNoneNoneTrue7False");
}

// "rendered TEXT", or the message of the Error.
std::string outcome_of(TemplateRenderer& renderer, const ChatTemplate& chat_template,
                       const TemplateInput& input = {}) {
  try {
    return "rendered " + renderer.render(chat_template, input);
  } catch (const Error& e) {
    return e.what();
  }
}

TEST(ChatTemplate, NoToolsAreNoneAsInTransformers) {
  const ChatTemplate loop{.source = "a{% for tool in tools %}{{ tool }}{% endfor %}b"};
  auto render = renderer();
  TemplateInput input;
  EXPECT_THAT(outcome_of(render, loop, input), HasSubstr("'NoneType' object is not iterable"));
  input.tools = Json::array();
  EXPECT_EQ(outcome_of(render, loop, input), "rendered ab");
  input.tools = Json::parse("[1, 2]");
  EXPECT_EQ(outcome_of(render, loop, input), "rendered a12b");
}

TEST(ChatTemplate, ErrorsNameTheFileWhereOneIsKnown) {
  auto render = renderer();
  EXPECT_EQ(outcome_of(render, {.source = "\n{{ raise_exception('no') }}", .origin = "m.gguf"}),
            "[template] m.gguf: line 2: no");
  TemplateRenderer hasty(PLUMB_PROGRAM, {.time = std::chrono::milliseconds(200)});
  const std::string endless =
      "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
  EXPECT_THAT(outcome_of(hasty, {.source = endless, .origin = "m.gguf"}),
              HasSubstr("[template] m.gguf: rendering: expected at most 200 ms"));
}

TEST(ChatTemplate, TellsTheLocalTimeWhereNoneIsGiven) {
  const std::time_t before = std::time(nullptr);
  const std::string year = renderer().render("{{ strftime_now('%Y') }}", {});
  std::tm t{};
  localtime_r(&before, &t);
  EXPECT_TRUE(year == std::to_string(t.tm_year + 1900) || year == std::to_string(t.tm_year + 1901));
}

TEST(ChatTemplate, ErrorsNameTheLineAndStayOnOne) {
  auto render = renderer();
  const auto message = [&](const std::string& source) {
    return outcome_of(render, {.source = source});
  };
  EXPECT_EQ(message("a\n\n{{ raise_exception('no\\nsystem \x1b[1m here') }}"),
            "[template] line 3: no\\nsystem \\x1b[1m here");
  EXPECT_THAT(message("a\n{% if %}"), HasSubstr("[template] line 2: syntax error"));
  EXPECT_THAT(message("a\n{{ foo.bar.baz }}"), HasSubstr("line 2: undefined value: `foo` is"));
  EXPECT_THAT(message("{{ 1 | nothing }}"), HasSubstr("filter nothing is unknown"));
}

TEST(ChatTemplate, JsonFromOutsideIsRefusedWithItsName) {
  EXPECT_EQ(parse_template_json("[1, {\"b\": 2, \"a\": 1}]", "F").dump(), R"([1,{"b":2,"a":1}])");
  const auto message = [](const std::string& text) {
    try {
      parse_template_json(text, "messages.json");
      return std::string("parsed");
    } catch (const Error& e) {
      return std::string(e.what());
    }
  };
  EXPECT_THAT(message("[1,"), HasSubstr("messages.json: expected JSON, got \""));
  EXPECT_THAT(message("\"\xff\""), HasSubstr("messages.json: expected JSON, got \""));
  EXPECT_THAT(message(std::string(100000, '[')), HasSubstr("at most 200 levels"));
  EXPECT_THAT(message(std::string(201, '[') + std::string(201, ']')), HasSubstr("at most 200"));
  EXPECT_EQ(message(std::string(199, '[') + std::string(199, ']')), "parsed");
}

gguf::File file_with(const test::TempFolder& folder,
                     const std::vector<std::pair<std::string, std::string>>& strings) {
  gguf::Writer writer;
  for (const auto& [key, value] : strings) writer.add(key, value);
  writer.write(folder.path() / "f.gguf");
  return gguf::File::open(folder.path() / "f.gguf");
}

TEST(ChatTemplateOf, PrefersTheFilesOwnAndKnowsVariants) {
  const test::TempFolder folder;
  const auto file = file_with(folder, {{"tokenizer.chat_template", "plain"},
                                       {"tokenizer.chat_template.tool_use", "tools"}});
  EXPECT_EQ(chat_template_of(file.metadata()).source, "plain");
  EXPECT_FALSE(chat_template_of(file.metadata()).is_fallback);
  EXPECT_EQ(chat_template_of(file.metadata(), "tool_use").source, "tools");
  EXPECT_EQ(chat_template_of(file.metadata(), "rag").source, "plain");
  EXPECT_THAT(chat_template_of(file.metadata()).origin, testing::EndsWith("f.gguf"));
}

TEST(ChatTemplateOf, TakesABlankTemplateForNone) {
  const test::TempFolder folder;
  for (const char* blank : {"", " \n\t\r\n"}) {
    const auto file = file_with(
        folder, {{"tokenizer.chat_template", blank}, {"tokenizer.chat_template.rag", blank}});
    EXPECT_TRUE(chat_template_of(file.metadata()).is_fallback);
    EXPECT_TRUE(chat_template_of(file.metadata(), "rag").is_fallback);
  }
}

TEST(ChatTemplateOf, FallsBackToChatMl) {
  const test::TempFolder folder;
  const auto file = file_with(folder, {{"general.architecture", "llama"}});
  const ChatTemplate chatml = chat_template_of(file.metadata());
  EXPECT_TRUE(chatml.is_fallback);
  TemplateInput input;
  input.messages = Json::parse(
      R"([{"role": "system", "content": " Be kind.\n"},
          {"role": "user", "content": [{"type": "text", "text": "Hello "}, {"type": "text", "text": "you"}]},
          {"role": "assistant", "content": null}])");
  EXPECT_EQ(renderer().render(chatml.source, input),
            "<|im_start|>system\n Be kind.\n<|im_end|>\n"
            "<|im_start|>user\nHello you<|im_end|>\n"
            "<|im_start|>assistant\n<|im_end|>\n"
            "<|im_start|>assistant\n");
  input.add_generation_prompt = false;
  EXPECT_THAT(renderer().render(chatml.source, input),
              testing::EndsWith("<|im_start|>assistant\n<|im_end|>\n"));
}

}  // namespace
}  // namespace plumb
