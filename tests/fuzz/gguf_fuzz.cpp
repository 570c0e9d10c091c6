// libFuzzer target: any bytes as a GGUF file, through every stage up to the plan.

#include "base/error.h"
#include "fuzz/stages.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace plumb;
  try {
    const auto file = gguf::File::from_bytes("fuzz.gguf", {data, size});
    for (const test::Stage& stage : test::stages()) {
      try {
        stage.run(file);
      } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::bad_input, "{}", error.what());
      }
    }
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::bad_input, "{}", error.what());
  }
  return 0;
}
