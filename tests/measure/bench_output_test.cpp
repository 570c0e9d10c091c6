#include "measure/bench_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "measure/results.h"

namespace plumb {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const BuildInfo kBuild{"8cf427ff", 5163};

BenchCase example_case() {
  return {{.model = "models/it's \"odd\".gguf",
           .n_batch = 2048,
           .n_ubatch = 512,
           .type_k = Format::f16,
           .type_v = Format::q8_0,
           .n_threads = 2},
          {.n_prompt = 0, .n_gen = 128, .n_depth = 0}};
}

BenchRecord example() {
  BenchResult r;
  r.samples_ns = {1'000'000'000, 2'000'000'000};
  r.test_time = "2026-01-31T12:00:00Z";
  r.work = {.gen_bytes = 30e9};
  r.limits = {.read = 40e9};
  r.read_limits = {40e9, 39e9};
  r.options = {.with_sampling = true, .all_logits = true, .backend = "x", .no_repack = true};
  r.instruction_set = "avx9";
  r.model_type = "llama 7B Q4_0";
  r.model_size = 3'825'205'248;
  r.model_n_params = 6'738'415'616;
  return make_record(example_case(), r, kBuild);
}

std::string print(const char* format, int n = 2) {
  const auto out = make_bench_output("-o", format, {example_case()});
  std::string text = out->header();
  for (int i = 0; i < n; ++i) text += out->record(example());
  return text + out->footer(kBuild);
}

// The fields of llama-bench (its README lists them), by which its users' scripts know the rest.
const char* const kFields =
    "build_commit,build_number,cpu_info,gpu_info,backends,model_filename,model_type,model_size,"
    "model_n_params,n_batch,n_ubatch,n_threads,cpu_mask,cpu_strict,poll,type_k,type_v,n_gpu_layers,"
    "n_cpu_moe,split_mode,main_gpu,no_kv_offload,flash_attn,devices,tensor_split,"
    "tensor_buft_overrides,load_mode,lazy_mode,embeddings,no_op_offload,no_host,fit_target,"
    "fit_min_ctx,n_prompt,n_gen,n_depth,test_time,avg_ns,stddev_ns,avg_ts,stddev_ts";

TEST(BenchOutput, Json) {
  const json j = json::parse(print("json"));
  ASSERT_EQ(j.size(), 2u);
  for (const std::string& name : split_list(kFields)) EXPECT_TRUE(j[0].contains(name)) << name;
  EXPECT_EQ(j[0]["build_number"], 5163);
  EXPECT_EQ(j[0]["cpu_strict"], false);
  EXPECT_EQ(j[0]["type_v"], "q8_0");
  EXPECT_EQ(j[0]["avg_ns"], 1'500'000'000);
  EXPECT_EQ(j[0]["stddev_ns"], 707106781);
  EXPECT_EQ(j[0]["samples_ts"], (json{128.0, 64.0}));
  EXPECT_EQ(j[0]["avg_ts"], 96.0);
  EXPECT_EQ(j[0]["gbps"], 20.0);
  EXPECT_EQ(j[0]["limit_gbps"], 40.0);
  EXPECT_EQ(j[0]["share_of_limit"], 0.5);
  EXPECT_EQ(j[0]["instruction_set"], "avx9");
  for (const char* option : {"all_logits", "with_sampling", "no_repack", "warm_up"})
    EXPECT_EQ(j[0][option], true) << option;
  EXPECT_EQ(json::parse(print("json", 0)), json::array());
}

TEST(BenchOutput, JsonLinesAndJsonSayTheSame) {
  const std::string lines = print("jsonl", 1);
  EXPECT_EQ(lines.find('\n'), lines.size() - 1);
  EXPECT_EQ(json::parse(lines), json::parse(print("json", 1))[0]);
}

TEST(BenchOutput, CompareReadsThem) {
  for (const char* format : {"json", "jsonl"}) {
    const auto results = parse_results(print(format), format);
    ASSERT_EQ(results.size(), 1u);
    EXPECT_EQ(results[0].rates, (std::vector{128.0, 64.0, 128.0, 64.0}));
  }
}

TEST(BenchOutput, Csv) {
  const std::string text = print("csv");
  EXPECT_THAT(text, StartsWith(kFields));
  EXPECT_THAT(text, HasSubstr("\"models/it's \"\"odd\"\".gguf\""));
  EXPECT_THAT(text, HasSubstr("\"1500000000\",\"707106781\",\"96.000000\",\"45.254834\""));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
}

// Nothing but llama-bench's columns: rows of both go into one table.
TEST(BenchOutput, Sql) {
  const std::string text = print("sql");
  EXPECT_THAT(text, StartsWith("CREATE TABLE IF NOT EXISTS llama_bench (\n  build_commit TEXT,\n"
                               "  build_number INTEGER,"));
  EXPECT_THAT(text, HasSubstr("\n  stddev_ts REAL\n);\n"));
  EXPECT_THAT(text, HasSubstr("'models/it''s \"odd\".gguf'"));
  EXPECT_EQ(text.find("share_of_limit"), std::string::npos);
}

TEST(BenchOutput, Markdown) {
  const std::string text = print("md", 1);
  EXPECT_THAT(text,
              StartsWith("| model                          |       size |     params | backend"
                         "    | threads | type_v |"));
  EXPECT_THAT(text, HasSubstr("|           tg128 |        96.00 \xc2\xb1 45.25 |\n"));
  EXPECT_THAT(text, HasSubstr("3.56 GiB |     6.74 B |"));
  EXPECT_THAT(text, HasSubstr("20.0 GB/s, 50 %"));
  EXPECT_THAT(text, HasSubstr("build: 8cf427ff (5163)"));
}

TEST(BenchOutput, OthersAreRefused) {
  EXPECT_THROW(make_bench_output("-o", "xml", {}), Error);
  EXPECT_THROW(make_bench_output("-oe", "", {}), Error);
}

}  // namespace
}  // namespace plumb
