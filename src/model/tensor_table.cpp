#include "model/tensor_table.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"

namespace plumb {
namespace {

std::string shape_text(const gguf::TensorView& t) {
  std::string out;
  for (int i = 0; i < t.n_dims; ++i)
    out += fmt::format("{}{}", i ? ", " : "", t.ne[static_cast<size_t>(i)]);
  return "[" + out + "]";
}

}  // namespace

TensorTable::TensorTable(const gguf::File& file) : file_(file) {}

Tensor TensorTable::matrix(const std::string& name, int64_t columns, int64_t rows) {
  return take(name, {columns, rows}, true);
}
Tensor TensorTable::vector(const std::string& name, int64_t columns) {
  return take(name, {columns}, true);
}
Tensor TensorTable::optional_matrix(const std::string& name, int64_t columns, int64_t rows) {
  return take(name, {columns, rows}, false);
}
Tensor TensorTable::optional_vector(const std::string& name, int64_t columns) {
  return take(name, {columns}, false);
}
Tensor TensorTable::matrices(const std::string& name, int64_t columns, int64_t rows, int64_t n) {
  return take(name, {columns, rows, n}, true);
}

bool TensorTable::has(const std::string& name) const {
  return file_.find_tensor(name).has_value();
}

Tensor TensorTable::take(const std::string& name, std::initializer_list<int64_t> shape,
                         bool required) {
  const std::string file = file_.path().string();
  const std::string expected = fmt::format("[{}]", fmt::join(shape, ", "));
  const auto view = file_.find_tensor(name);
  if (!view) {
    if (required)
      fail("{}: tensor {}: expected shape {}, got no such tensor", file, name, expected);
    return {};
  }
  std::array<int64_t, 4> ne{1, 1, 1, 1};
  std::copy(shape.begin(), shape.end(), ne.begin());
  if (!std::equal(ne.begin(), ne.end(), view->ne.begin()))
    fail("{}: tensor {}: expected shape {}, got {}", file, name, expected, shape_text(*view));
  const FormatInfo& format = format_info(view->format);
  if (!format.decode)
    fail(
        "{}: tensor {}: expected a format that plumb can decode, got {}, of which it knows only "
        "the size",
        file, name, format.name);
  used_.insert(name);
  return {name, view->format, ne[0], ne[1] * ne[2], view->data};
}

int64_t TensorTable::rows_of(const std::string& name, int64_t columns) const {
  const auto view = file_.find_tensor(name);
  if (!view)
    fail("{}: tensor {}: expected [{}, rows], got none", file_.path().string(), name, columns);
  if (view->ne[0] != columns || view->ne[1] < 1 || view->ne[2] != 1 || view->ne[3] != 1)
    fail("{}: tensor {}: expected shape [{}, rows], got {}", file_.path().string(), name, columns,
         shape_text(*view));
  return view->ne[1];
}

void TensorTable::ignore(const std::string& name) {
  used_.insert(name);
}

int64_t TensorTable::ignore_all(std::string_view prefix) {
  int64_t n = 0;
  for (int64_t i = 0; i < file_.n_tensors(); ++i)
    if (const gguf::TensorView view = file_.tensor(i); view.name.starts_with(prefix)) {
      used_.emplace(view.name);
      ++n;
    }
  return n;
}

void TensorTable::finish() const {
  for (int64_t i = 0; i < file_.n_tensors(); ++i) {
    const gguf::TensorView view = file_.tensor(i);
    if (used_.find(view.name) == used_.end())
      fail(
          "{}: tensor {}: expected only tensors of this architecture, got one ({}) that no part of "
          "it uses",
          file_.path().string(), plumb::quoted(view.name), shape_text(view));
  }
}

}  // namespace plumb
