#pragma once
// A file as a test wrote it, and what is said where it is refused.

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "gguf/writer.h"
#include "model/model_desc.h"

namespace plumb::test {

inline gguf::File open(const gguf::Writer& writer) {
  const std::string bytes = writer.bytes();
  return gguf::File::from_bytes("tiny.gguf",
                                {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

// The same file without a key or a tensor.
inline gguf::Writer without(const gguf::Writer& whole, std::string_view name) {
  const gguf::File file = open(whole);
  const gguf::Metadata& m = file.metadata();
  gguf::Writer writer;
  for (int64_t i = 0; i < m.size(); ++i)
    if (m.key(i) != name) writer.copy(m, m.key(i));
  for (int64_t i = 0; i < file.n_tensors(); ++i)
    if (const gguf::TensorView t = file.tensor(i); t.name != name)
      writer.add_tensor(t.name, t.format,
                        std::vector<int64_t>(t.ne.begin(), t.ne.begin() + t.n_dims), t.data);
  return writer;
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
