#pragma once
// Which file a user means by -m: a path, or a name in the model folder ($PLUMB_CACHE, by default
// ~/.cache/plumb/models); without -m the only model there, else the one used last.

#include <filesystem>
#include <optional>
#include <string>

namespace plumb {

// Error: neither $PLUMB_CACHE nor $HOME says where it is.
std::filesystem::path model_folder();
std::optional<std::filesystem::path> model_folder_if_any();  // none instead

// `name` "": none was given. Error: no such model, none at all (with how to get one), or several to
// choose from.
std::filesystem::path find_model(const std::string& name);

// For the next find_model(""). Failures are ignored: this is a convenience.
void remember_model(const std::filesystem::path& path);

}  // namespace plumb
