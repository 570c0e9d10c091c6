#include "base/processor.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/processor_features.h"
#include "support/temp_folder.h"

namespace plumb::test {
namespace {

class ProcessorTest : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& content) const {
    const auto file = root() / name;
    std::filesystem::create_directories(file.parent_path());
    write_file(file, content);
  }
  std::filesystem::path root() const { return folder_.path(); }
  TempFolder folder_;
};

TEST_F(ProcessorTest, NameAndClockOfX86) {
  write("proc/cpuinfo",
        "processor\t: 0\nmodel name\t: Some CPU @ 3.0: x\ncpu MHz\t\t: 3000.5\n\n"
        "processor\t: 1\nmodel name\t: Some CPU\ncpu MHz\t\t: 1000.5\n");
  EXPECT_EQ(processor_name(root()), "Some CPU @ 3.0: x");
  EXPECT_EQ(processor_mhz(root()), 2000.5);
}

TEST_F(ProcessorTest, NameAndClockOfArm) {
  write("proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n");
  write("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "2600000\n");
  EXPECT_NE(processor_name(root()).find("implementer 0x41 part 0xd0c"), std::string::npos);
  EXPECT_EQ(processor_mhz(root()), 2600);
}

TEST_F(ProcessorTest, NothingIsToldOfAnUnknownSystem) {
  EXPECT_NE(processor_name(root()), "");
  EXPECT_FALSE(processor_mhz(root()));
  EXPECT_TRUE(processor_caches(root()).empty());
  write("proc/cpuinfo", ":\n: x\nmodel name\t:\ncpu MHz : zero\n");
  EXPECT_NE(processor_name(root()), "");
  EXPECT_FALSE(processor_mhz(root()));
}

TEST_F(ProcessorTest, Caches) {
  const std::string at = "sys/devices/system/cpu/cpu0/cache/";
  const auto cache = [&](const std::string& index, const char* level, const char* type,
                         const char* size, const char* shared) {
    write(at + index + "/level", level);
    write(at + index + "/type", type);
    write(at + index + "/size", size);
    write(at + index + "/shared_cpu_list", shared);
  };
  cache("index0", "1\n", "Data\n", "48K\n", "0\n");
  cache("index3", "3\n", "Unified\n", "32M\n", "0-3,8,10-11\n");
  const auto caches = processor_caches(root());
  ASSERT_EQ(caches.size(), 2u);
  EXPECT_EQ(caches[0].bytes, 48 << 10);
  EXPECT_EQ(caches[0].type, "Data");
  EXPECT_EQ(caches[0].shared_by, 1);
  EXPECT_EQ(caches[1].level, 3);
  EXPECT_EQ(caches[1].bytes, 32 << 20);
  EXPECT_EQ(caches[1].shared_by, 7);
}

TEST_F(ProcessorTest, FeaturesContainEachOther) {
  EXPECT_GE(has_avx2(), has_avx_vnni());
  EXPECT_GE(has_avx512(), has_avx512_vnni());
  EXPECT_GE(has_avx512(), has_avx512_bf16());
  EXPECT_GE(has_avx2(), has_avx512());
}

}  // namespace
}  // namespace plumb::test
