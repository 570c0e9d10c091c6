#pragma once
// How fast each distinct matrix of a model is multiplied, beside what the machine allows. A matrix
// is timed on the path that a step takes: a plan of nothing but such products, compiled by the cpu
// backend (panels, quantised activations, thread pool) and run as a batch is. The plan multiplies
// by a rotating set of matrices that is larger than the last-level cache, so that every product
// reads its weights from memory, as in a whole model.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "measure/work.h"
#include "plan/plan.h"

namespace plumb {

// Matrices of one role, shape and format.
struct Shape {
  std::string role;  // the tensor's name without its layer: "ffn_down"; the head is "output"
  int64_t rows, columns;
  Format format;
  std::vector<Tensor> tensors;  // each once; their bytes are the file's
  int64_t n_used = 0;           // of them, by one token: all but experts that it does not choose

  std::string name() const;                                  // "ffn_down 576x1536 Q4_1"
  int64_t bytes() const { return tensors.front().bytes(); }  // of one, as in the file
  double macs(int64_t n_tokens) const;                       // multiply-adds of one
};

// Of every matrix that the plan multiplies by, in order of first use.
std::vector<Shape> shapes_of(const Plan& plan);

// Those that any of the words names: by role, by name(), or as a regular expression (ECMAScript)
// that is found in name(). All for no words. Error (naming --case): a word that names none, with
// what there is; no regular expression.
std::vector<Shape> select_shapes(std::vector<Shape> shapes, std::span<const std::string> words);

struct ShapeOptions {
  std::vector<int64_t> n_tokens{1};   // multiplied together
  std::vector<std::string> sets{""};  // instruction sets as --cpu names them, timed in turns
  int n_threads = 1;
  int64_t iterations = 20, warm_up = 2;  // passes over the rotating set
  int64_t set_bytes = 0;                 // of matrices, as in the file: at least one matrix
  bool measure_limits = true;
};

// As many matrices as have that many bytes together, at least one: the file's own of that shape
// first, then the same again. All have different names, so that a backend keeps each by itself.
std::vector<Tensor> rotating_set(const Shape& shape, int64_t bytes);

// Twice the last-level caches of this machine, at least 64 MiB.
int64_t default_set_bytes();
// What the memory available now allows for the set of each of n_sets instruction sets: time_shape
// takes no more.
int64_t most_set_bytes(size_t n_sets);

struct ShapeTime {
  std::string set;         // "avx512"
  std::vector<double> ns;  // of one product: the mean of each pass
  double median_ns() const;
};

struct ShapeResult {
  const Shape* shape = nullptr;
  int64_t n_tokens = 0;
  int n_threads = 0;
  int64_t n_matrices = 0;  // in the rotating set
  Arithmetic arithmetic = Arithmetic::f32;
  Limits limits;  // 0: not measured
  std::vector<ShapeTime> times;

  double gbps(double ns) const { return static_cast<double>(shape->bytes()) / ns; }
  double gmacs(double ns) const { return shape->macs(n_tokens) / ns; }
  double share_of_reads(double ns) const;  // of read bandwidth; 0: not measured
  double share_of_peak(double ns) const;   // of the multiply-adds per second of `arithmetic`
};

// One result for each number of tokens. `shape` must outlive them. Error: an unknown instruction
// set, a format that the cpu backend cannot multiply, more memory than there is.
std::vector<ShapeResult> time_shape(const Shape& shape, const ShapeOptions& options);

// All products of a batch together: the sum over all shapes of n_used times median.
struct ShapeTotal {
  int64_t n_tokens;
  int n_threads;
  std::string set;
  double ns;
  double cost;  // over that of one token with as many threads and the same set; 0: not timed
};
// In the order of the results. None for several tokens where there are experts: who chooses which
// decides how many tokens an expert multiplies together.
std::vector<ShapeTotal> totals_of(std::span<const ShapeResult> results);

// A table for people. One instruction set: all figures of it; several: a column for each.
std::string shapes_header(size_t n_sets);
std::string to_row(const ShapeResult& result);
std::string to_text(std::span<const ShapeTotal> totals);

nlohmann::ordered_json to_json(const ShapeResult& result);
nlohmann::ordered_json to_json(const ShapeTotal& total);

}  // namespace plumb
