#pragma once
// A file as a test wrote it, and what is said where it is refused.

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "gguf/writer.h"
#include "model/model_desc.h"

namespace plumb::test {

inline gguf::File open(const gguf::Writer& writer) {
  const std::string bytes = writer.bytes();
  return gguf::File::from_bytes("tiny.gguf",
                                {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

inline std::string error_of(const gguf::Writer& writer) {
  try {
    const gguf::File file = open(writer);
    load_model_desc(file);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input);
    return e.what();
  }
  return "";
}

}  // namespace plumb::test
