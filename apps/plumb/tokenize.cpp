// plumb tokenize and plumb detokenize: text to ids and back.

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "command.h"
#include "ids.h"
#include "options.h"
#include "output.h"

namespace plumb {
namespace {

std::unique_ptr<Tokenizer> load_tokenizer(const ModelOptions& model) {
  const auto file = gguf::File::open(model.path());
  detail("vocabulary {}", file.path().string());
  return Tokenizer::load(file.metadata());
}

void print_pieces(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
  std::string out;
  for (const int32_t id : ids)
    out += fmt::format("{} {}\n", id, plumb::quoted(tokenizer.piece(id, true), SIZE_MAX));
  write_out(out);
}

nlohmann::ordered_json to_json(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
  std::vector<std::string> pieces;
  for (const int32_t id : ids) pieces.push_back(tokenizer.piece(id, true));
  return {{"ids", ids}, {"pieces", pieces}};
}

// What tokenize put around the text is no part of it.
std::span<const int32_t> without_ends(const Tokenizer& t, std::span<const int32_t> ids) {
  if (t.adds_bos() && !ids.empty() && t.bos() == ids.front()) ids = ids.subspan(1);
  if (t.adds_eos() && !ids.empty() && t.eos() == ids.back()) ids = ids.first(ids.size() - 1);
  return ids;
}

}  // namespace

int tokenize_command(std::vector<std::string> words) {
  TextOptions text;
  ModelOptions model;
  bool no_special = false, no_bos = false, pieces = false, json = false;
  Arguments arguments("tokenize", "text to token ids, on one line; a vocabulary is enough",
                      "plumb tokenize -p 'Hello, world'");
  text.attach(arguments);
  model.attach_model(arguments);
  arguments.flag("--no-special", no_special, "control tokens in the text are text");
  arguments.flag("--no-bos", no_bos, "no begin (and end) token where the file asks for them");
  arguments.flag("--pieces", pieces, "a line for each token: id and bytes");
  arguments.flag("--json", json,
                 "ids and pieces; bytes that are not UTF-8 become U+FFFD in pieces");
  arguments.remark(
      "A byte that the vocabulary has no token for is left out, as by llama.cpp: SmolLM2 lacks 21 "
      "of the 256, such as 0x04 and 0xFF.");
  if (!arguments.parse(words)) return 0;

  const std::string input = text.read("tokenize");
  const auto tokenizer = load_tokenizer(model);
  const auto ids = tokenizer->encode(input, {.add_bos = !no_bos, .parse_special = !no_special});
  if (json)
    write_json(to_json(*tokenizer, ids));
  else if (pieces)
    print_pieces(*tokenizer, ids);
  else
    write_out(fmt::format("{}\n", fmt::join(ids, " ")));
  return 0;
}

int detokenize_command(std::vector<std::string> words) {
  std::optional<std::string> list, file;
  ModelOptions model;
  bool no_special = false, no_bos = false, pieces = false, json = false;
  Arguments arguments("detokenize",
                      "token ids to the exact bytes of the text: the way back from tokenize",
                      "plumb detokenize --ids 1,2,3");
  arguments.text("--ids", list, "the ids, with commas or spaces between them");
  arguments.text("-f,--file", file, "a file with the ids, - is standard input");
  model.attach_model(arguments);
  arguments.flag("--no-special", no_special, "control tokens give nothing");
  arguments.flag("--no-bos", no_bos, "the ids came from tokenize --no-bos: a begin token is text");
  arguments.flag("--pieces", pieces, "a line for each token: id and bytes");
  arguments.flag("--json", json, "ids, pieces and text; bytes that are not UTF-8 become U+FFFD");
  if (!arguments.parse(words)) return 0;

  if (list && file) fail("detokenize: expected one of --ids and -f, got both");
  if (!list && !file) fail("detokenize: expected ids (--ids 1,2,3 or -f FILE), got none");
  const auto tokenizer = load_tokenizer(model);
  const auto ids = list ? parse_ids("--ids", *list, tokenizer->n_tokens())
                        : parse_ids(*file, read_file(*file), tokenizer->n_tokens());
  const std::string text =
      tokenizer->decode(no_bos ? ids : without_ends(*tokenizer, ids), !no_special);
  if (json) {
    auto object = to_json(*tokenizer, ids);
    object["text"] = text;
    write_json(object);
  } else if (pieces) {
    print_pieces(*tokenizer, ids);
  } else {
    write_out(text);
  }
  return 0;
}

}  // namespace plumb
