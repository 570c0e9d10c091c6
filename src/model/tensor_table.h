#pragma once
// The tensors of a file as a family reads them: by name, with the shape it expects. What no family
// asked for is an error, because a weight that is silently ignored ruins answers.

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>

#include "model/model_desc.h"

namespace plumb {

class TensorTable {
 public:
  explicit TensorTable(const gguf::File& file);

  // A matrix of `rows` rows of `columns` values, or a vector of `columns` values. Error: missing,
  // another shape, or a format whose layout plumb does not know.
  Tensor matrix(const std::string& name, int64_t columns, int64_t rows);
  Tensor vector(const std::string& name, int64_t columns);
  Tensor optional_matrix(const std::string& name, int64_t columns,
                         int64_t rows);  // empty where the file has none
  Tensor optional_vector(const std::string& name, int64_t columns);
  // n matrices one after another, [columns, rows, n] in the file: n * rows rows.
  Tensor matrices(const std::string& name, int64_t columns, int64_t rows, int64_t n);
  bool has(const std::string& name) const;

  // The number of rows of a matrix with `columns` columns, where the file is the only source for
  // it.
  int64_t rows_of(const std::string& name, int64_t columns) const;

  // For tensors that are in the file on purpose and not needed.
  void ignore(const std::string& name);
  int64_t ignore_all(std::string_view prefix);  // how many have a name that begins so
  // Error when a tensor was asked for by nobody.
  void finish() const;

 private:
  Tensor take(const std::string& name, std::initializer_list<int64_t> shape, bool required);
  const gguf::File& file_;
  std::set<std::string, std::less<>> used_;
};

}  // namespace plumb
