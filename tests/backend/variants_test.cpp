// What families change in attention and around it, each alone and all together: the cpu backend
// against the reference, step by step, and against itself however a batch is cut. Families
// themselves are held against llama.cpp in tiny_llama_cpp_test.cpp.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <deque>

#include "backend/cpu/cpu.h"
#include "backend/reference/reference.h"
#include "backend/set_name.h"
#include "measure/check.h"
#include "support/model_shapes.h"
#include "support/slow.h"
#include "support/tiny_engine.h"

namespace plumb {
namespace {

using test::feed;
using test::in_batches;
using test::same_bits;
using test::some_ids;
using test::TinyPlan;

constexpr PlanOptions kOptions{.cache_k = Format::f32,
                               .cache_v = Format::f32,
                               .n_positions = 300,
                               .n_sequences = 3,
                               .max_batch = 200,
                               .max_logits = 200};

// A tiny llama whose description may be changed before it is planned.
class Variant {
 public:
  explicit Variant(const test::TinyOptions& options = {.n_context = 300}) : tiny_(options) {}

  template <typename Change>
  Variant& attention(Change change) {
    for (Layer& layer : tiny_.model.layers) change(std::get<Attention>(layer.mixer));
    return *this;
  }
  template <typename Change>
  Variant& model(Change change) {
    change(tiny_.model);
    return *this;
  }
  const Plan& plan(const PlanOptions& options = kOptions) {
    return tiny_.plan = compile(tiny_.model, options);
  }
  int64_t n_vocab() const { return tiny_.model.n_vocab; }

  // Weights that the model does not have: normal, around `mean`.
  Tensor weights(int64_t columns, int64_t rows, float mean, float deviation) {
    data_.push_back(random_.normals(columns * rows, mean, deviation));
    const std::vector<float>& values = data_.back();
    return {fmt::format("made {}", data_.size()),
            Format::f32,
            columns,
            rows,
            {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)}};
  }
  Tensor norm(int64_t n) { return weights(n, 1, 1, 0.2f); }

 private:
  TinyPlan tiny_;
  test::Random random_{5};
  std::deque<std::vector<float>> data_;
};

void norm_heads(Variant& v) {
  v.attention([&](Attention& a) {
    a.q_norm = v.norm(a.head_dim);
    a.k_norm = v.norm(a.head_dim);
  });
}
void slide(Variant& v, int64_t window) {
  v.attention([&](Attention& a) { a.window = window; });
}
void stop_turning(Variant& v) {
  v.model([](ModelDesc& d) { std::get<Attention>(d.layers[0].mixer).rope = {}; });
}
void cap_scores(Variant& v) {
  v.attention([](Attention& a) { a.logit_cap = 0.7f; });
}
void add_sinks(Variant& v) {
  v.attention([&](Attention& a) { a.sinks = v.weights(a.n_heads, 1, 0, 2); });
}
void gate_output(Variant& v) {
  v.attention([&](Attention& a) {
    a.output_gate = true;
    a.q = v.weights(a.q.columns, 2 * a.q.rows, 0, 0.2f);
    a.q_bias = {};
  });
}
void take_values_from_keys(Variant& v) {
  v.attention([](Attention& a) {
    a.v = a.v_bias = {};
    a.v_norm = true;
  });
}
void share_caches(Variant& v) {
  v.model([](ModelDesc& d) { std::get<Attention>(d.layers[1].mixer).cache_of_layer = 0; });
}
void norm_branches(Variant& v) {
  v.model([&](ModelDesc& d) {
    for (Layer& layer : d.layers) {
      layer.post_mixer_norm = v.norm(d.n_embd);
      layer.post_ffn_norm = v.norm(d.n_embd);
      layer.output_scale = 0.9f;
      std::get<DenseFfn>(layer.ffn).activation = Activation::gelu;
    }
  });
}
void change_ends(Variant& v) {
  v.model([&](ModelDesc& d) {
    d.embed_scale = 8;
    d.logit_cap = 3;
    d.head_bias = v.weights(d.n_vocab, 1, 0, 1);
  });
}

struct Case {
  const char* name;
  void (*change)(Variant&);
};
constexpr Case kCases[] = {
    {"norms of heads", norm_heads},
    {"window of 1", [](Variant& v) { slide(v, 1); }},
    {"window of 20", [](Variant& v) { slide(v, 20); }},
    {"window of 64", [](Variant& v) { slide(v, 64); }},
    {"window of 129", [](Variant& v) { slide(v, 129); }},
    {"no rope", stop_turning},
    {"cap", cap_scores},
    {"sinks", add_sinks},
    {"gates", gate_output},
    {"values from keys", take_values_from_keys},
    {"shared cache", share_caches},
    {"norms of branches", norm_branches},
    {"ends", change_ends},
    {"all",
     [](Variant& v) {
       norm_heads(v);
       slide(v, 100);
       stop_turning(v);
       cap_scores(v);
       add_sinks(v);
       gate_output(v);
       take_values_from_keys(v);
       share_caches(v);
       norm_branches(v);
       change_ends(v);
     }},
};

class CpuVariants : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Sets, CpuVariants, ::testing::ValuesIn(test::set_names()),
                         [](const auto& param) { return test::set_name(param.param); });

TEST_P(CpuVariants, MatchTheReferenceInF32) {
  for (const Case& c : kCases) {
    Variant v({.n_context = 300, .head_dim = 24});
    c.change(v);
    const Plan& plan = v.plan();
    const auto reference = make_reference_backend()->compile(plan);
    const auto cpu = make_cpu_backend(2, GetParam())->compile(plan);
    const Difference d = *check(plan, *reference, *cpu, some_ids(200, v.n_vocab()), 1).largest;
    EXPECT_LT(d.max_rel, 2e-5) << c.name << ": " << d.name;
  }
}

// What only a whole family brings: heads of two sizes, slices of a second embedding.
TEST_P(CpuVariants, Gemma4MatchesTheReference) {
  const std::string bytes = test::random_model(test::model_shape("tiny-gemma4-per-layer")).bytes();
  const auto file = gguf::File::from_bytes(
      "tiny.gguf", {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  const ModelDesc model = load_model_desc(file);
  const Plan plan = compile(model, kOptions);
  const auto reference = make_reference_backend()->compile(plan);
  const auto cpu = make_cpu_backend(2, GetParam())->compile(plan);
  const Difference d =
      *check(plan, *reference, *cpu, some_ids(test::kSlow ? 30 : 100, model.n_vocab), 1).largest;
  EXPECT_LT(d.max_rel, 2e-5) << d.name;
}

TEST_P(CpuVariants, LogitsDoNotDependOnBatchesOrThreads) {
  for (const Case& c : kCases) {
    if (test::kSlow && c.name != std::string_view("all")) continue;
    Variant v;
    c.change(v);
    const Plan& plan = v.plan();
    const auto ids = some_ids(200, v.n_vocab());
    const std::vector<size_t> whole{200}, mixed{1, 2, 3, 4, 5, 17, 12, 64, 11, 1, 80};
    const auto expected = in_batches(*make_cpu_backend(1, GetParam())->compile(plan), ids, whole);
    const auto got = in_batches(*make_cpu_backend(3, GetParam())->compile(plan), ids, mixed);
    EXPECT_TRUE(same_bits(got, expected)) << c.name;
  }
}

// Each change is felt: a variant that is ignored would agree with the reference that ignores it.
TEST(ReferenceVariants, EachChangesTheLogits) {
  Variant plain;
  const auto ids = some_ids(150, plain.n_vocab());
  const auto logits_of = [&](Variant& v) {
    return feed(*make_reference_backend()->compile(v.plan()), ids).back();
  };
  const auto without = logits_of(plain);
  for (const Case& c : kCases) {
    Variant v;
    c.change(v);
    EXPECT_GT(test::largest_difference(logits_of(v), without), 1e-2) << c.name;
  }
}

TEST(ReferenceVariants, AWindowThatHoldsEverythingChangesNothing) {
  Variant plain, wide;
  slide(wide, 150);
  const auto ids = some_ids(150, plain.n_vocab());
  for (const auto& backend : {make_reference_backend(), make_cpu_backend(2, "")})
    EXPECT_TRUE(same_bits(feed(*backend->compile(plain.plan()), ids),
                          feed(*backend->compile(wide.plan()), ids)));
}

// A window forgets: what stands before it does not reach one layer's attention.
TEST(ReferenceVariants, TokensBeforeTheWindowAreNotSeen) {
  Variant v({.n_layers = 1, .n_context = 300});
  slide(v, 10);
  const Plan& plan = v.plan();
  auto a = some_ids(40, v.n_vocab(), 1), b = some_ids(40, v.n_vocab(), 2);
  std::copy(a.begin() + 30, a.end(), b.begin() + 30);
  for (const auto& backend : {make_reference_backend(), make_cpu_backend(2, "")}) {
    const auto of_a = feed(*backend->compile(plan), a), of_b = feed(*backend->compile(plan), b);
    EXPECT_EQ(test::largest_difference(of_a[39], of_b[39]), 0);
    EXPECT_GT(test::largest_difference(of_a[38], of_b[38]), 1e-3);
  }
}

// Small batches, so that pages leave the window and are used again.
constexpr PlanOptions kNarrow{.cache_k = Format::f32,
                              .cache_v = Format::f32,
                              .n_positions = 300,
                              .n_sequences = 2,
                              .max_batch = 16,
                              .max_logits = 16};

// Every other layer slides.
void slide_in_turns(Variant& v, int64_t window) {
  v.model([&](ModelDesc& d) { std::get<Attention>(d.layers[0].mixer).window = window; });
}

TEST(Windows, ForgottenPagesChangeNothing) {
  Variant roomy, narrow;
  slide_in_turns(roomy, 20);
  slide_in_turns(narrow, 20);
  const auto ids = some_ids(290, roomy.n_vocab()), other = some_ids(290, roomy.n_vocab(), 3);
  const std::vector<size_t> sizes(300, 7);
  for (const auto& backend : {make_reference_backend(), make_cpu_backend(2, "")}) {
    const auto all = backend->compile(roomy.plan()), few = backend->compile(narrow.plan(kNarrow));
    const auto of_ids = in_batches(*few, ids, sizes, 0),
               of_other = in_batches(*few, other, sizes, 1);
    EXPECT_TRUE(same_bits(of_ids, in_batches(*all, ids, sizes, 0)));
    EXPECT_TRUE(same_bits(of_other, in_batches(*all, other, sizes, 1)));
  }
}

TEST(Windows, CutBackAsFarAsTheyReach) {
  Variant v;
  slide_in_turns(v, 20);
  const auto ids = some_ids(290, v.n_vocab());
  const std::vector<size_t> sizes(300, 16);
  for (const auto& backend : {make_reference_backend(), make_cpu_backend(2, "")}) {
    const auto used = backend->compile(v.plan(kNarrow)), fresh = backend->compile(v.plan(kNarrow));
    in_batches(*used, ids, sizes);
    EXPECT_EQ(used->truncate(0, 280), 280);
    in_batches(*fresh, std::span(ids).first(280), sizes);
    const auto rest = std::span(ids).subspan(270, 16);
    const auto expected = feed(*fresh, rest);
    EXPECT_TRUE(same_bits(feed(*used, rest), expected));
    EXPECT_EQ(fresh->copy_prefix(0, 1, 280), 280);
    EXPECT_TRUE(same_bits(feed(*fresh, rest, 1), expected));
    EXPECT_EQ(used->truncate(0, 100), 0);  // forgotten: from the beginning
    EXPECT_EQ(used->length(0), 0);
    EXPECT_EQ(used->copy_prefix(0, 1, 0), 0);
  }
}

TEST(Windows, CountTheirShareOfTheCache) {
  Variant v;
  slide_in_turns(v, 20);
  const Plan& plan = v.plan(kNarrow);
  const int64_t layer = 2 * 2 * 16 * 4 * kPagePositions;  // a page: K and V of 2 heads of 16, f32
  EXPECT_EQ(cache_bytes(plan), 2 * (2 + 5) * layer);  // 2 pages for 20 + 16 positions, 5 for 300
  EXPECT_EQ(make_cpu_backend(1, "")->memory(plan).kv, cache_bytes(plan));
  EXPECT_EQ(make_reference_backend()->memory(plan).kv, cache_bytes(plan));
}

}  // namespace
}  // namespace plumb
