#include "measure/shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "generate/engine.h"
#include "support/model_shapes.h"
#include "support/temp_folder.h"
#include "support/tiny_engine.h"
#include "support/tiny_model.h"

namespace plumb::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A file with two layers and its shapes: 64 columns, 4 heads, 2 of them for K and V, 128 in
// between.
class Shapes : public testing::Test {
 protected:
  std::vector<Shape> shapes(const TinyOptions& options = {}) {
    const auto path = folder_.path() / "tiny.gguf";
    tiny_llama(options).write(path);
    file_.emplace(gguf::File::open(path));
    const ModelDesc model = load_model_desc(*file_);
    return shapes_of(compile(model, with_defaults({.n_positions = 1}, model)));
  }
  static std::vector<std::string> names(const std::vector<Shape>& shapes) {
    std::vector<std::string> out;
    for (const Shape& s : shapes) out.push_back(s.name());
    return out;
  }
  TempFolder folder_;
  std::optional<gguf::File> file_;
};

TEST_F(Shapes, EveryMatrixOnceUnderItsRole) {
  const auto all = shapes({.matrices = Format::q4_0, .embedding = Format::q8_0});
  const std::string n = std::to_string(all.back().rows);
  EXPECT_THAT(names(all),
              ElementsAre("attn_q 64x64 Q4_0", "attn_k 32x64 Q4_0", "attn_v 32x64 Q4_0",
                          "attn_output 64x64 Q4_0", "ffn_gate 128x64 Q4_0", "ffn_up 128x64 Q4_0",
                          "ffn_down 64x128 Q4_0", "output " + n + "x64 Q8_0"));
  for (const Shape& s : all) EXPECT_EQ(s.tensors.size(), s.role == "output" ? 1u : 2u) << s.name();
  EXPECT_EQ(all[4].bytes(), 128 * 64 / 32 * 18);
  EXPECT_EQ(all[4].macs(3), 128 * 64 * 3);
}

TEST_F(Shapes, AreChosenByRoleNameOrExpression) {
  const auto all = shapes();
  const auto chosen = [&](std::vector<std::string> words) {
    return names(select_shapes(all, words));
  };
  EXPECT_EQ(chosen({}).size(), all.size());
  EXPECT_THAT(chosen({"ffn_down", "attn_q 64x64 F32"}),
              ElementsAre("attn_q 64x64 F32", "ffn_down 64x128 F32"));
  EXPECT_EQ(chosen({"output"}), names({all.back()})) << "a role before what holds it";
  EXPECT_THAT(chosen({"^attn_.*32x64"}), ElementsAre("attn_k 32x64 F32", "attn_v 32x64 F32"));
  EXPECT_EQ(chosen({"ffn", "ffn_up"}).size(), 3u);
}

TEST_F(Shapes, WhatIsNotThereIsRefusedWithWhatIs) {
  const auto all = shapes();
  const auto refused = [&](const std::string& word) -> std::string {
    try {
      select_shapes(all, std::vector{word});
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_THAT(refused("experts"), HasSubstr("attn_q 64x64 F32, attn_k"));
  EXPECT_THAT(refused("attn_[q"), HasSubstr("regular expression"));
  EXPECT_THAT(refused(std::string(1000, '(')), HasSubstr("at most"));
}

TEST_F(Shapes, ARotatingSetHasEveryMatrixByItself) {
  const auto all = shapes({.n_layers = 3});
  const Shape& shape = all[1];
  const auto set = rotating_set(shape, 7 * shape.bytes() + 1);
  ASSERT_EQ(set.size(), 8u);
  std::set<std::string> names;
  for (size_t i = 0; i < set.size(); ++i) {
    EXPECT_EQ(set[i].data.data(), shape.tensors[i % 3].data.data()) << i;
    names.insert(set[i].name);
  }
  EXPECT_EQ(names.size(), 8u);
  EXPECT_EQ(rotating_set(shape, 0).size(), 1u);
  EXPECT_LE(rotating_set(shape, INT64_MAX / 2).size(), 1u << 14) << "tiny ones have a bound";
}

TEST_F(Shapes, AreTimedWithEveryNumberOfTokens) {
  const auto all = shapes({.matrices = Format::q4_0});
  const ShapeOptions options{.n_tokens = {1, 40},
                             .sets = {"", "scalar"},
                             .n_threads = 2,
                             .iterations = 3,
                             .warm_up = 1,
                             .set_bytes = 20 * 128 * 64 / 32 * 18 - 1,
                             .measure_limits = false};
  const auto results = time_shape(all[4], options);
  ASSERT_EQ(results.size(), 2u);
  for (const ShapeResult& r : results) {
    EXPECT_EQ(r.n_matrices, 20) << "two of the file and copies";
    EXPECT_EQ(r.shape, &all[4]);
    EXPECT_EQ(r.arithmetic, Arithmetic::dot8);
    EXPECT_EQ(r.share_of_reads(1), 0) << "no limit was measured";
    ASSERT_EQ(r.times.size(), 2u);
    EXPECT_EQ(r.times[1].set, "scalar");
    for (const ShapeTime& time : r.times) {
      EXPECT_EQ(time.ns.size(), 3u);
      EXPECT_GT(time.median_ns(), 0);
    }
  }
  EXPECT_EQ(results[1].n_tokens, 40);
}

TEST_F(Shapes, OneMatrixIsTheLeast) {
  const auto all = shapes();
  const auto r = time_shape(all[0], {.iterations = 1, .warm_up = 0}).front();
  EXPECT_EQ(r.n_matrices, 1);
  EXPECT_GT(r.limits.read, 0);
  EXPECT_GT(r.limits.macs, 0);
  EXPECT_EQ(r.arithmetic, Arithmetic::f32);
}

TEST_F(Shapes, UnknownSetsAreRefused) {
  const auto all = shapes();
  EXPECT_THROW(time_shape(all[0], {.sets = {"sse9"}}), Error);
}

// A result as it would be printed: 4 rows of 32 columns, three such matrices.
struct Example {
  Shape shape{"ffn_up", 4, 32, Format::q8_0, {}};
  ShapeResult result(int64_t n_tokens, std::vector<double> ns) {
    if (shape.tensors.empty())
      shape.tensors.assign(3, {.name = "t", .format = Format::q8_0, .columns = 32, .rows = 4});
    if (shape.n_used == 0) shape.n_used = 3;
    return {.shape = &shape,
            .n_tokens = n_tokens,
            .n_threads = 2,
            .n_matrices = 7,
            .arithmetic = Arithmetic::dot8,
            .limits = {.read = 2e9, .macs = 64e9},
            .times = {{"avx2", std::move(ns)}}};
  }
};

TEST(ShapeResults, FiguresOfAProduct) {
  Example example;
  const ShapeResult r = example.result(2, {100, 136, 300});  // the median: 136 bytes in 136 ns
  const auto j = to_json(r);
  const auto& time = j["times"][0];
  EXPECT_EQ(time["ns"], 136);
  EXPECT_EQ(time["least_ns"], 100);
  EXPECT_EQ(time["most_ns"], 300);
  EXPECT_DOUBLE_EQ(time["gbps"], 1);
  EXPECT_DOUBLE_EQ(time["share_of_reads"], 0.5);
  EXPECT_DOUBLE_EQ(time["gmacs"], 256.0 / 136);
  EXPECT_DOUBLE_EQ(time["share_of_peak"], 256.0 / 136 / 64);
  EXPECT_EQ(j["count"], 3);
  EXPECT_EQ(j["set_bytes"], 7 * 136);
  const std::string row = to_row(r);
  for (const char* part : {"ffn_up", "4 x 32", "Q8_0", "0.1 to 0.3", "50 %"})
    EXPECT_THAT(row, HasSubstr(part));
}

TEST(ShapeResults, TotalsAndTheCostOfMoreTokens) {
  Example example;
  const std::vector<ShapeResult> results{example.result(1, {100}), example.result(4, {150}),
                                         example.result(1, {10}), example.result(4, {12})};
  const auto totals = totals_of(results);
  ASSERT_EQ(totals.size(), 2u);
  EXPECT_EQ(totals[0].ns, 3 * 110);
  EXPECT_EQ(totals[0].cost, 1);
  EXPECT_DOUBLE_EQ(totals[1].cost, 162.0 / 110);
  EXPECT_THAT(to_text(totals), HasSubstr("1.47"));
  const std::vector<ShapeResult> no_single{example.result(4, {150})};
  EXPECT_EQ(totals_of(no_single)[0].cost, 0);
  EXPECT_TRUE(to_json(totals_of(no_single)[0])["cost_over_one_token"].is_null());
}

// 2 of 3 experts work on a token; which ones several tokens choose nobody knows.
TEST(ShapeResults, TotalsOfAMixtureAreOfOneToken) {
  Example example;
  example.shape.n_used = 2;
  const std::vector<ShapeResult> results{example.result(1, {100}), example.result(4, {150})};
  const auto totals = totals_of(results);
  ASSERT_EQ(totals.size(), 1u);
  EXPECT_EQ(totals[0].n_tokens, 1);
  EXPECT_EQ(totals[0].ns, 2 * 100);
  EXPECT_EQ(to_json(results[0])["used_by_a_token"], 2);
  EXPECT_EQ(to_text(std::span<const ShapeTotal>()), "");
}

TEST_F(Shapes, ExpertsAreUsedByFewTokens) {
  const auto path = folder_.path() / "mixture.gguf";
  const ModelShape& shape = model_shape("tiny-qwen3moe");
  random_model(shape).write(path);
  file_.emplace(gguf::File::open(path));
  const ModelDesc model = load_model_desc(*file_);
  for (const Shape& s : shapes_of(compile(model, with_defaults({.n_positions = 1}, model)))) {
    const auto count = static_cast<int64_t>(s.tensors.size());
    const bool experts = s.role.ends_with("_exps");
    EXPECT_EQ(count, experts ? shape.n_layers * shape.n_experts : s.n_used) << s.name();
    EXPECT_EQ(s.n_used, experts ? shape.n_layers * shape.n_used : count) << s.name();
  }
}

TEST(ShapeResults, AColumnForEachSet) {
  Example example;
  ShapeResult r = example.result(1, {100});
  r.times.push_back({"scalar", {5000}});
  const std::string header = shapes_header(2), row = to_row(r);
  EXPECT_EQ(header.size(), row.size()) << header << row;
  EXPECT_EQ(std::ranges::count(row, '|'), 2);
  EXPECT_THAT(row, HasSubstr("5.0"));
  EXPECT_EQ(shapes_header(1).size(), to_row(example.result(1, {100})).size());
}

}  // namespace
}  // namespace plumb::test
