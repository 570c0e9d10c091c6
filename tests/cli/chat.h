#pragma once
// A chat with a tiny model, greedy and short.

#include "cli.h"

namespace plumb::test {

class Chat : public Cli {
 protected:
  Words words(Words more = {}) {
    Words all{"chat", "-m", model(), "--temp", "0", "-n", "5", "--ignore-eos"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Finished chat(std::string_view script, const Words& more = {}) {
    return plumb(words(more), script);
  }
};

}  // namespace plumb::test
