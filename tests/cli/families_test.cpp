// Every family from a conversation to an answer: a tiny model with its kind of tokenizer and its
// published chat template, used through the program.

#include <filesystem>
#include <sstream>

#include "base/file.h"
#include "cli.h"
#include "support/model_shapes.h"
#include "support/small_vocabulary.h"

namespace plumb::test {
namespace {

const std::filesystem::path kTemplates =
    std::filesystem::path(PLUMB_SOURCE_DIR) / "../shared/fixtures/templates";

struct FamilyCase {
  std::string shape, chat_template;  // a published one's name, or the text
  SmallVocabulary vocabulary;
  friend std::ostream& operator<<(std::ostream& out, const FamilyCase& c) { return out << c.shape; }
};

std::vector<FamilyCase> families() {
  const auto bytes = [](const char* pre, std::vector<std::string> controls) {
    return SmallVocabulary{.pre = pre, .special = false, .controls = std::move(controls)};
  };
  const auto marked = [](const char* model, std::vector<std::string> controls) {
    return SmallVocabulary{.model = model, .special = false, .controls = std::move(controls)};
  };
  const std::vector<std::string> chat_ml{"<|im_start|>", "<|im_end|>", "<think>", "</think>"};
  const std::vector<std::string> turns{"<|turn>", "<turn|>", "<|channel>", "<channel|>",
                                       "<|think|>"};
  const std::vector<std::string> headers{"<|begin_of_text|>", "<|start_header_id|>",
                                         "<|end_header_id|>", "<|eot_id|>"};
  const std::vector<std::string> harmony{"<|start|>", "<|end|>", "<|message|>", "<|channel|>",
                                         "<|return|>"};
  const std::vector<std::string> phi{"<|user|>", "<|assistant|>", "<|system|>", "<|end|>"};
  const char* gemma =  // what Gemma 2 and 3 are asked by, in short
      "{{ bos_token }}{% for m in messages %}{{ '<start_of_turn>' + "
      "('model' if m.role == 'assistant' else m.role) + '\n' + m.content | trim + "
      "'<end_of_turn>\n' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}";
  return {{"tiny-llama-yarn", "meta-llama-Llama-3.2-3B-Instruct", bytes("llama-bpe", headers)},
          {"tiny-mixtral", "mistralai-Mistral-Nemo-Instruct-2407",
           bytes("tekken", {"<s>", "</s>", "[INST]", "[/INST]"})},
          {"tiny-qwen2", "Qwen-Qwen2.5-7B-Instruct", bytes("qwen2", chat_ml)},
          {"tiny-qwen3", "Qwen-Qwen3-0.6B", bytes("qwen2", chat_ml)},
          {"tiny-smollm3", "HuggingFaceTB-SmolLM3-3B", bytes("smaug-bpe", chat_ml)},
          {"tiny-qwen3moe", "Qwen3-Coder", bytes("qwen2", chat_ml)},
          {"tiny-qwen35", "Qwen3.5-4B", bytes("qwen35", chat_ml)},
          {"tiny-qwen35moe", "Qwen3.5-4B", bytes("qwen35", chat_ml)},
          {"tiny-gemma2", gemma, marked("llama", {"<start_of_turn>", "<end_of_turn>"})},
          {"tiny-gemma3", gemma, marked("llama", {"<start_of_turn>", "<end_of_turn>"})},
          {"tiny-gemma4", "google-gemma-4-31B-it", marked("gemma4", turns)},
          {"tiny-gemma4-experts", "google-gemma-4-31B-it-interleaved", marked("gemma4", turns)},
          {"tiny-gpt-oss", "openai-gpt-oss-120b", bytes("gpt-4o", harmony)},
          {"tiny-phi", "microsoft-Phi-3.5-mini-instruct", marked("llama", phi)}};
}

class Families : public Cli, public ::testing::WithParamInterface<FamilyCase> {
 protected:
  void SetUp() override {
    std::string text = GetParam().chat_template;
    if (!text.starts_with("{{")) {
      const auto source = kTemplates / (text + ".jinja");
      if (!exists(source)) GTEST_SKIP() << source << " is not there";
      text = read_file(source);
    }
    ModelShape shape = model_shape(GetParam().shape);
    shape.tokenizer = [&](gguf::Writer& writer) {
      writer.add("tokenizer.chat_template", text);
      return add_small_vocabulary(writer, GetParam().vocabulary);
    };
    model_ = path("model.gguf").string();
    random_model(shape).write(model_);
  }

  // What a conversation costs: its text by the template, and the ids of that.
  size_t tokens_of(const std::string& messages) {
    const Finished text = tiny({"template", "--messages", "-"}, messages);
    EXPECT_EQ(text.code, 0) << text.err;
    const Json ids = json({"tokenize", "-p", text.out, "--json"})["ids"];
    const Json begun = json({"tokenize", "-p", "", "--json"})["ids"];  // a begin token, if any
    const bool twice =
        begun.size() == 1 && ids.size() > 1 && ids[0] == begun[0] && ids[1] == begun[0];
    return ids.size() - (twice ? 1 : 0);
  }
};

INSTANTIATE_TEST_SUITE_P(All, Families, ::testing::ValuesIn(families()), [](const auto& param) {
  std::string name = param.param.shape;
  std::erase(name, '-');
  return name;
});

TEST_P(Families, FromAMessageToAnAnswer) {
  const Json j = json({"run", "-p", "Grüße, 12345\n\nof the world!", "-n", "12", "--temp", "0",
                       "--ignore-eos", "--json"});
  EXPECT_EQ(j["generated_tokens"], 12);
  EXPECT_EQ(j["ids"].size(), 12u);
  EXPECT_EQ(j["prompt_tokens"],
            tokens_of(R"([{"role":"user","content":"Grüße, 12345\n\nof the world!"}])"));
  for (const std::string& control : GetParam().vocabulary.controls)
    EXPECT_EQ(json({"tokenize", "--no-bos", "-p", control, "--json"})["ids"].size(), 1u) << control;
}

// The second turn has the first before it, as the template has it. The answers are of one letter:
// what random weights say is not always text.
TEST_P(Families, AConversationGoesOn) {
  const int32_t letter = json({"tokenize", "-p", "=a", "--json"})["ids"].back();
  const Finished f = plumb({"chat", "-m", model(), "--temp", "0", "-n", "6", "--ignore-eos",
                            "--json", "--logit-bias", std::to_string(letter) + "+1000"},
                           "What is it?\nAnd now?\n");
  ASSERT_EQ(f.code, 0) << f.err;
  std::istringstream lines(f.out);
  std::vector<Json> answers;
  for (std::string line; std::getline(lines, line);) answers.push_back(Json::parse(line));
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_GT(answers[1]["prompt_tokens"], answers[0]["prompt_tokens"]);
  const Json messages = Json::array({{{"role", "user"}, {"content", "What is it?"}},
                                     {{"role", "assistant"}, {"content", answers[0]["text"]}},
                                     {{"role", "user"}, {"content", "And now?"}}});
  EXPECT_EQ(answers[1]["prompt_tokens"], tokens_of(messages.dump()));
}

}  // namespace
}  // namespace plumb::test
