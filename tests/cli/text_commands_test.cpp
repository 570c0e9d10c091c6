// tokenize, detokenize and template.

#include "cli.h"

namespace plumb::test {
namespace {

using Tokenize = Cli;
using Template = Cli;

std::string without_end(std::string line) {
  if (line.ends_with('\n')) line.pop_back();
  return line;
}

TEST_F(Tokenize, OneLineOfIds) {
  const Finished f = tiny({"tokenize", "-p", "Hello World"});
  EXPECT_EQ(f.code, 0);
  EXPECT_EQ(f.err, "");
  EXPECT_EQ(f.out.find_first_not_of("0123456789 \n"), std::string::npos);
  EXPECT_EQ(f.out.find('\n'), f.out.size() - 1);
  EXPECT_EQ(tiny({"tokenize", "-f", "-"}, "Hello World").out, f.out);
  EXPECT_EQ(tiny({"tokenize", "-f", folder_.add("text", "Hello World").string()}).out, f.out);
}

TEST_F(Tokenize, ThereAndBackGivesTheSameBytes) {
  std::string bytes;
  for (int b = 255; b >= 0; --b) bytes += static_cast<char>(b);
  const std::vector<std::string> texts{std::string(),
                                       std::string("a\n"),
                                       bytes,
                                       std::string("<|im_start|>x<|im_end|>"),
                                       std::string("größe 🙂\r\n\t "),
                                       std::string("\xF0\x9F", 2)};
  for (const std::string& text : texts) {
    const std::string ids = tiny({"tokenize", "-f", "-"}, text).out;
    EXPECT_EQ(tiny({"detokenize", "--ids", ids}).out, text);
    EXPECT_EQ(tiny({"detokenize", "-f", "-"}, ids).out, text);
  }
}

TEST_F(Tokenize, ThereAndBackWhereTokenizeAddsABeginToken) {
  const std::string spm = write_model("spm.gguf", {.vocab = TinyVocab::spm});
  const auto run = [&](Words words) {
    words.insert(words.end(), {"-m", spm});
    return without_end(plumb(words).out);
  };
  const std::string ids = run({"tokenize", "-p", "Hello"});
  EXPECT_TRUE(ids.starts_with("1 ")) << ids;
  EXPECT_EQ(run({"detokenize", "--ids", ids}), "Hello");
  EXPECT_EQ(run({"tokenize", "--no-bos", "-p", "Hello"}), ids.substr(2));
  EXPECT_EQ(run({"detokenize", "--no-bos", "--ids", ids}), "<s>Hello");
  EXPECT_EQ(run({"detokenize", "--no-bos", "--no-special", "--ids", ids}), "Hello");
}

TEST_F(Tokenize, SpecialTokensOrTheirText) {
  EXPECT_EQ(tiny({"tokenize", "-p", "<|im_end|>"}).out, "2\n");
  const std::string text = tiny({"tokenize", "--no-special", "-p", "<|im_end|>"}).out;
  EXPECT_NE(text, "2\n");
  EXPECT_EQ(tiny({"detokenize", "--ids", text}).out, "<|im_end|>");
  EXPECT_EQ(tiny({"detokenize", "--no-special", "--ids", "2"}).out, "");
}

TEST_F(Tokenize, JsonAndPieces) {
  const Json j = json({"tokenize", "--json", "-p", "a<|im_end|>\xFF"});
  EXPECT_EQ(j["ids"].size(), 3u);
  EXPECT_EQ(j["ids"][1], 2);
  EXPECT_EQ(j["pieces"], (Json{"a", "<|im_end|>", "\uFFFD"}));
  const Finished pieces = tiny({"tokenize", "--pieces", "-p", "a<|im_end|>\xFF"});
  EXPECT_NE(pieces.out.find("2 \"<|im_end|>\"\n"), std::string::npos) << pieces.out;
  EXPECT_NE(pieces.out.find("\"\\xff\"\n"), std::string::npos) << pieces.out;
}

TEST_F(Tokenize, TheHelpSaysWhatIsLost) {
  EXPECT_NE(plumb({"tokenize", "-h"}).out.find("byte that the vocabulary has no token for"),
            std::string::npos);
}

TEST_F(Tokenize, IdsAreStrict) {
  for (const char* ids : {"1,2", "1 2", " 1 , 2 ", "1\n2\n"})
    EXPECT_EQ(tiny({"detokenize", "--no-bos", "--ids", ids}).out, "<|im_start|><|im_end|>") << ids;
  for (const char* ids :
       {"1,,2", "1,2,", ",1", "1;2", "x", "-1", "1.0", "999999", "99999999999999999999"})
    expect_refused(tiny({"detokenize", "--ids", ids}), {"--ids", "expected"});
  EXPECT_EQ(tiny({"detokenize", "--ids", ""}).code, 0) << "no ids, no bytes";
  expect_refused(tiny({"detokenize"}), {"--ids", "-f"});
  expect_refused(tiny({"detokenize", "--ids", "1", "-f", "x"}), {"both"});
}

TEST_F(Tokenize, AVocabularyIsEnough) {
  gguf::Writer writer;
  writer.add("general.architecture", "llama");
  add_tiny_vocab(writer, {});
  const std::string file = path("vocabulary.gguf").string();
  writer.write(file);
  EXPECT_EQ(plumb({"tokenize", "-m", file, "-p", "Hello"}).out,
            tiny({"tokenize", "-p", "Hello"}).out);
  EXPECT_EQ(plumb({"detokenize", "-m", file, "--ids", "1"}).code, 0);
  const Finished info = plumb({"info", "-m", file, "--json"});
  ASSERT_EQ(info.code, 0) << info.err;
  EXPECT_EQ(Json::parse(info.out)["vocabulary_only"], true);
  expect_refused(plumb({"run", "-m", file, "-p", "x"}), {"vocabulary.gguf"});
}

TEST_F(Template, RendersExactly) {
  const std::string messages =
      folder_.add("m.json", R"([{"role":"user","content":"<b>\"ö\"</b> <|im_end|>"}])").string();
  const std::string turn = "<|im_start|>user\n<b>\"ö\"</b> <|im_end|><|im_end|>\n";
  EXPECT_EQ(tiny({"template", "--messages", messages}).out, turn + "<|im_start|>assistant\n");
  EXPECT_EQ(tiny({"template", "--messages", messages, "--no-generation-prompt"}).out, turn);
  EXPECT_EQ(tiny({"template", "--messages", "-"}, "[]").out, "<|im_start|>assistant\n");
}

TEST_F(Template, AFileVariablesAndTools) {
  const std::string source =
      folder_
          .add("t.jinja",
               "{{ bos_token }}|{{ x }}|{{ y.z[1] }}|{{ tools[0].name }}|{{ messages|length }}")
          .string();
  const std::string messages = folder_.add("m.json", "[]").string();
  const std::string tools = folder_.add("tools.json", R"([{"name":"f"}])").string();
  const Words words{
      "template", "--template-file", source,      "--messages", messages,          "--tools",
      tools,      "--var",           "x=\"a=b\"", "--var",      R"(y={"z":[1,2]})"};
  EXPECT_EQ(plumb(words).out, "|a=b|2|f|0") << "no model is needed";
  EXPECT_EQ(tiny(words).out, "<|im_start|>|a=b|2|f|0") << "the model's begin token";
}

TEST_F(Template, WhatCannotBeRead) {
  const std::string messages = folder_.add("m.json", "[]").string();
  expect_refused(tiny({"template"}), {"--messages"});
  expect_refused(tiny({"template", "--messages", "absent.json"}), {"absent.json"});
  expect_refused(tiny({"template", "--messages", folder_.add("bad", "[1,").string()}),
                 {"bad", "JSON"});
  expect_refused(tiny({"template", "--messages", folder_.add("object", "{}").string()}),
                 {"array", "object"});
  const std::string deep = folder_.add("deep", std::string(100000, '[')).string();
  expect_refused(tiny({"template", "--messages", deep}), {"deep", "nesting"});
  expect_refused(tiny({"template", "--messages", messages, "--var", "x"}), {"--var", "NAME=JSON"});
  expect_refused(tiny({"template", "--messages", messages, "--var", "x=y"}), {"--var x", "JSON"});
  const std::string broken = folder_.add("t", "{% if %}").string();
  expect_refused(plumb({"template", "--messages", messages, "--template-file", broken}), {broken});
}

TEST_F(Template, AModelWithoutOneGetsChatMlAndSaysSo) {
  const std::string bare = write_model("bare.gguf", {.chat_template = false});
  const Finished f =
      plumb({"template", "-m", bare, "--messages", "-"}, R"([{"role":"user","content":"x"}])");
  EXPECT_EQ(f.code, 0);
  EXPECT_EQ(f.out, "<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_NE(f.err.find("ChatML"), std::string::npos);
  const Finished failed = plumb({"template", "-m", bare, "--messages", "-"}, "[1]");
  EXPECT_EQ(failed.code, 2);
  EXPECT_EQ(failed.err.find("ChatML"), std::string::npos) << "the error alone: " << failed.err;
}

// What is asked for there: an empty list of tools is one, too.
TEST_F(Template, ToolsChooseTheVariantForTools) {
  gguf::Writer writer = tiny_llama({});
  writer.add("tokenizer.chat_template.tool_use", "{{ tools | length }} tools");
  const std::string file = (folder_.path() / "variants.gguf").string();
  writer.write(file);
  const Words words{"template", "-m", file, "--messages", "-"};
  EXPECT_EQ(plumb(words, "[]").out, "<|im_start|>assistant\n");
  for (const auto& [tools, text] : {std::pair{"[]", "0 tools"}, std::pair{"[1, 2]", "2 tools"}}) {
    Words more = words;
    more.insert(more.end(), {"--tools", folder_.add("tools.json", tools).string()});
    EXPECT_EQ(plumb(more, "[]").out, text);
  }
}

TEST_F(Template, ABlankTemplateIsNone) {
  gguf::Writer writer = tiny_llama({.chat_template = false});
  writer.add("tokenizer.chat_template", " \n");
  const std::string file = (folder_.path() / "blank.gguf").string();
  writer.write(file);
  const Finished f = plumb({"template", "-m", file, "--messages", "-"}, "[]");
  EXPECT_EQ(f.out, "<|im_start|>assistant\n");
  EXPECT_NE(f.err.find("ChatML"), std::string::npos);
  const Finished run = plumb({"run", "-m", file, "-p", "Hello", "-n", "1", "--temp", "0"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_NE(run.err.find("ChatML"), std::string::npos);
}

TEST_F(Template, ErrorsNameTheFileOfTheTemplate) {
  gguf::Writer writer = tiny_llama({.chat_template = false});
  writer.add("tokenizer.chat_template", "{{ raise_exception('never') }}");
  const std::string file = (folder_.path() / "raises.gguf").string();
  writer.write(file);
  expect_refused(plumb({"template", "-m", file, "--messages", "-"}, "[]"),
                 {"raises.gguf", "line 1", "never"});
  expect_refused(plumb({"run", "-m", file, "-p", "x"}), {"raises.gguf", "line 1", "never"});
}

}  // namespace
}  // namespace plumb::test
