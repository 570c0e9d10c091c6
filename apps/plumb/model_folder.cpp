#include "model_folder.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLastModel = ".last-model";

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// "model-00002-of-00005.gguf": opened by way of its first part.
bool is_later_part(const std::string& name) {
  constexpr std::string_view kPattern = "-00000-of-00000.gguf";
  if (name.size() < kPattern.size()) return false;
  std::string end = name.substr(name.size() - kPattern.size());
  for (char& c : end)
    if (c >= '0' && c <= '9') c = '0';
  return end == kPattern && !name.substr(name.size() - kPattern.size()).starts_with("-00001");
}

std::vector<fs::path> models_in(const fs::path& folder) {
  std::vector<fs::path> models;
  std::error_code ignored;
  for (fs::directory_iterator it(folder, ignored), end; it != end; it.increment(ignored)) {
    const fs::path& path = it->path();
    if (path.extension() == ".gguf" && is_file(path) && !is_later_part(path.filename().string()))
      models.push_back(path);
  }
  std::sort(models.begin(), models.end());
  return models;
}

std::string names_of(const std::vector<fs::path>& models) {
  std::string names;
  for (const fs::path& m : models) names += (names.empty() ? "" : ", ") + m.filename().string();
  return names;
}

fs::path last_model(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::exists(folder / kLastModel, ignored)) return {};
  try {
    return read_file(folder / kLastModel, 1 << 16);
  } catch (const Error&) {
    return {};
  }
}

fs::path default_model(const fs::path& folder) {
  const std::vector<fs::path> models = models_in(folder);
  if (models.size() == 1) return models.front();
  if (const fs::path last = last_model(folder); is_file(last)) return last;
  if (models.empty())
    fail(
        "-m: expected a model, got none and there is none in {}: ./run.sh fetches one, or name a "
        "GGUF file with -m FILE",
        folder.string());
  fail("-m: expected one of the models in {}, got none: {}", folder.string(), names_of(models));
}

}  // namespace

std::optional<fs::path> model_folder_if_any() {
  if (const char* folder = std::getenv("PLUMB_CACHE"); folder && *folder) return folder;
  if (const char* home = std::getenv("HOME"); home && *home)
    return fs::path(home) / ".cache" / "plumb" / "models";
  return std::nullopt;
}

fs::path model_folder() {
  if (const auto folder = model_folder_if_any()) return *folder;
  fail("-m: expected a path, or $PLUMB_CACHE or $HOME to say where models are, got neither");
}

fs::path find_model(const std::string& name) {
  if (name.empty()) return default_model(model_folder());
  std::error_code ignored;
  if (fs::exists(name, ignored) || name.find('/') != std::string::npos) return name;
  const fs::path folder = model_folder();
  for (const fs::path& candidate : {folder / name, folder / (name + ".gguf")})
    if (is_file(candidate)) return candidate;
  const std::vector<fs::path> models = models_in(folder);
  fail("-m: expected a file or a name in {} ({}), got {}", folder.string(),
       models.empty() ? "which is empty" : names_of(models), plumb::quoted(name));
}

void remember_model(const fs::path& path) {
  try {
    const fs::path folder = model_folder(), absolute = fs::absolute(path);
    if (last_model(folder) == absolute) return;
    fs::create_directories(folder);
    write_file(folder / kLastModel, absolute.string());
  } catch (const std::exception&) {
  }
}

}  // namespace plumb
