#include "measure/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace plumb {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

Probe example() {
  return {.processor = "AMD Ryzen (TM) 9",
          .processors = 2,
          .time = 1700000000,
          .caches = {{1, "Data", 32768, 1}, {3, "Unified", 1 << 25, 2}},
          .dot8 = "vpdpbusd, 512 bits",
          .bf16 = "",
          .f32 = "vfmadd, 512 bits",
          .rows = {{1, 40.5, 200, 50, std::nullopt, 0.2, 0.0}, {2, 45, 400, 100, 210.0}}};
}

std::string refusal(const json& j) {
  try {
    parse_probe(j.dump(), "kept.json");
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(ProbeFile, HoldsWhatWasMeasured) {
  const std::string text = to_json(example()).dump();
  const Probe p = parse_probe(text, "kept.json");
  EXPECT_EQ(to_json(p).dump(), text);
  EXPECT_EQ(p.rows[1].bf16_gmacs, 210.0);
  EXPECT_FALSE(p.rows[0].bf16_gmacs);
  EXPECT_EQ(p.caches[1].shared_by, 2);
}

TEST(ProbeFile, SaysWhatWasDisturbed) {
  json j = to_json(example());
  EXPECT_EQ(j["threads"][0]["disturbed"], true);
  EXPECT_EQ(j["threads"][1]["disturbed"], false);
  EXPECT_TRUE(j["threads"][1]["other_processes_share"].is_null());
  EXPECT_EQ(parse_probe(j.dump(), "x").rows[0].others_share, 0.2);
  j["threads"][0].erase("other_processes_share");
  EXPECT_FALSE(parse_probe(j.dump(), "x").rows[0].others_share) << "of an older plumb";
  j["threads"][0]["steal_share"] = 2;
  EXPECT_THAT(refusal(j), HasSubstr("steal_share"));
}

TEST(Probe, TheBetterOfTwo) {
  const ProbeRow busy{1, 50, 90, 30, 7.0, 0.4, 0.0}, quiet{1, 40, 100, 20, std::nullopt, 0.01, 0.0};
  for (const ProbeRow& best : {better_of(busy, quiet), better_of(quiet, busy)}) {
    EXPECT_EQ(best.read_gbps, 50);
    EXPECT_EQ(best.dot8_gmacs, 100);
    EXPECT_EQ(best.f32_gmacs, 30);
    EXPECT_EQ(best.bf16_gmacs, 7);
    EXPECT_FALSE(best.is_disturbed());
  }
  EXPECT_TRUE(busy.is_disturbed());
}

TEST(ProbeFile, RefusesWhatIsNone) {
  const json good = to_json(example());
  EXPECT_EQ(refusal(good), "");
  for (const auto& [name, value] : good.items()) {
    json j = good;
    j.erase(name);
    EXPECT_THAT(refusal(j), HasSubstr("kept.json")) << name;
  }
  json j = good;
  j["threads"][0]["read_gbps"] = "fast";
  EXPECT_THAT(refusal(j), HasSubstr("read_gbps"));
  j["threads"] = json::array();
  EXPECT_THAT(refusal(j), HasSubstr("threads"));
  j = good;
  j["processors"] = 1e300;
  EXPECT_THAT(refusal(j), HasSubstr("processors"));
  j = good;
  j["time"] = UINT64_MAX;
  EXPECT_THAT(refusal(j), HasSubstr("time"));
  EXPECT_THAT(refusal(json::array()), HasSubstr("object"));
}

TEST(ProbeFile, RefusesNoiseAndDepth) {
  EXPECT_THROW(parse_probe("{", "x"), Error);
  EXPECT_THROW(parse_probe(std::string(100000, '['), "x"), Error);
  EXPECT_THROW(parse_probe("\xff\xfe", "x"), Error);
}

TEST(ProbeFile, NameIsThatOfTheMachine) {
  EXPECT_EQ(probe_file_name("AMD Ryzen (TM) 9", 2), "probe-AMD-Ryzen-TM-9-2.json");
  EXPECT_EQ(probe_file_name("../../x y", 8), "probe-x-y-8.json");
  EXPECT_LT(probe_file_name(std::string(1000, 'a'), 1).size(), 130u);
}

TEST(Probe, MeasuresEveryRow) {
  std::vector<int> seen;
  const Probe p = measure_probe([&](int n) { seen.push_back(n); });
  ASSERT_EQ(p.rows.size(), seen.size());
  for (const ProbeRow& r : p.rows) {
    EXPECT_GT(r.read_gbps, 0.01);
    EXPECT_GT(r.dot8_gmacs, 0.01);
    EXPECT_GT(r.f32_gmacs, 0.01);
    EXPECT_EQ(r.bf16_gmacs.has_value(), !p.bf16.empty());
  }
  EXPECT_EQ(p.rows.front().threads, 1);
  EXPECT_EQ(p.rows.back().threads, p.processors);
}

}  // namespace
}  // namespace plumb
