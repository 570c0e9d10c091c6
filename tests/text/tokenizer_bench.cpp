// Runs a tokenizer for the scripts in tools/: how fast it is, and which ids it gives.
//   tokenizer_bench MODEL.gguf TEXT [REPS]            seconds per run, one line of JSON
//   tokenizer_bench MODEL.gguf --records IN OUT       IN: records of u32 length and bytes, each a
//   text; OUT: for each, u32 count and
//                                                     i32 ids without BOS or special tokens.
//                                                     Little-endian. Fails if a text does not come
//                                                     back as it was (--lossy in place of
//                                                     --records: does not look).
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "support/tool.h"
#include "text/tokenizer.h"

using namespace plumb;

namespace {

void run_timed(const Tokenizer& tokenizer, const std::string& text, int reps) {
  std::string seconds;
  size_t n_tokens = 0;
  for (int i = 0; i < reps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    n_tokens = tokenizer.encode(text, {.add_bos = false, .parse_special = true}).size();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    seconds += fmt::format("{}{:.6f}", i == 0 ? "" : ",", taken.count());
  }
  fmt::print("{{\"bytes\":{},\"tokens\":{},\"seconds\":[{}]}}\n", text.size(), n_tokens, seconds);
}

uint32_t read_u32(std::string_view bytes, size_t at) {
  if (at + 4 > bytes.size()) fail("expected a length at byte {}", at);
  uint32_t value;
  std::memcpy(&value, bytes.data() + at, 4);
  return value;
}

void append_u32(uint32_t value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), 4);
}

std::string run_records(const Tokenizer& tokenizer, std::string_view records, bool look) {
  std::string out;
  for (size_t at = 0; at < records.size();) {
    const uint32_t length = read_u32(records, at);
    const auto text = records.substr(at + 4, length);
    at += 4 + length;
    const auto ids = tokenizer.encode(text, {.add_bos = false, .parse_special = false});
    if (look && tokenizer.decode(ids) != text)
      fail("{} came back as {}", quoted(text, 400), quoted(tokenizer.decode(ids), 400));
    append_u32(static_cast<uint32_t>(ids.size()), out);
    for (const int32_t id : ids) append_u32(static_cast<uint32_t>(id), out);
  }
  return out;
}

void run(int argc, char** argv) {
  if (argc < 3) fail("usage: tokenizer_bench MODEL.gguf TEXT [REPS] | --records IN OUT");
  const auto file = gguf::File::open(argv[1]);
  const auto tokenizer = Tokenizer::load(file.metadata());
  const std::string_view mode = argv[2];
  if (argc == 5 && (mode == "--records" || mode == "--lossy"))
    write_file(argv[4], run_records(*tokenizer, read_file(argv[3]), mode == "--records"));
  else
    run_timed(*tokenizer, read_file(argv[2]), argc > 3 ? std::stoi(argv[3]) : 5);
}

}  // namespace

int main(int argc, char** argv) {
  return test::tool_main("tokenizer_bench", [&] { run(argc, argv); });
}
