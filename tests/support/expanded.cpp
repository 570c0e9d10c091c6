#include "support/quality_cases.h"

namespace plumb::test {

gguf::Writer expanded(const gguf::File& file) {
  gguf::Writer writer;
  const gguf::Metadata& m = file.metadata();
  for (int64_t i = 0; i < m.size(); ++i) writer.copy(m, m.key(i));
  for (int64_t i = 0; i < file.n_tensors(); ++i) {
    const gguf::TensorView t = file.tensor(i);
    std::vector<float> values(static_cast<size_t>(t.n_elements()));
    format_info(t.format).decode(t.data.data(), values.data(), t.n_elements());
    writer.add_tensor(t.name, Format::f32,
                      std::vector<int64_t>(t.ne.begin(), t.ne.begin() + t.n_dims),
                      std::span<const float>(values));
  }
  return writer;
}

}  // namespace plumb::test
