#pragma once
// Options of llama-bench for things that plumb has not got. Scripts pass them; so those that would
// change nothing about a result here are taken and said to do so, and others are refused by name.

#include <string>
#include <vector>

namespace plumb {

// The words without them; a note on standard error for each that was given a value which means
// something to llama-bench. Error: an option that would change the result.
std::vector<std::string> without_foreign_options(const std::vector<std::string>& words);

}  // namespace plumb
