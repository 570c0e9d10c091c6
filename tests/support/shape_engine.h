#pragma once
// A model of model_shapes.h in memory, described and planned.

#include "support/model_shapes.h"
#include "support/tiny_engine.h"

namespace plumb::test {

struct ShapePlan {
  ShapePlan(const ModelShape& shape, const WeightTypes& types, const PlanOptions& options,
            uint64_t seed = 1)
      : file(open(shape, types, seed)),
        model(load_model_desc(file)),
        plan(compile(model, options)) {}

  static gguf::File open(const ModelShape& shape, const WeightTypes& types, uint64_t seed) {
    const std::string bytes = random_model(shape, types, seed).bytes();
    return gguf::File::from_bytes("tiny.gguf",
                                  {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  }

  gguf::File file;
  ModelDesc model;
  Plan plan;
};

}  // namespace plumb::test
