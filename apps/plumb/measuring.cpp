#include "measuring.h"

#include "output.h"

namespace plumb {

Measuring::Measuring(std::string_view command, const std::vector<std::string>& words)
    : command_(fmt::format("plumb {}", command)) {
  for (const std::string& word : words) command_ += " " + word;
}

void Measuring::attach(Arguments& arguments) {
  arguments.flag("--wait", wait_, "wait while another command measures, instead of refusing");
}

void Measuring::start() {
  DeviceLock::OnWait on_wait;
  if (wait_) on_wait = [](const std::string& holder) { note("waiting for {}", printable(holder)); };
  lock_ = std::make_unique<DeviceLock>("cpu", command_, on_wait);
}

}  // namespace plumb
