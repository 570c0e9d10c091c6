// Text from a stream of ids, cut only between characters.
#include <algorithm>
#include <utility>

#include "base/text.h"
#include "text/tokenizer.h"

namespace plumb {
namespace {

// True if bytes to come can make `tail` a character: completing it with the lowest or the highest
// continuation bytes does. (Those two decide all cases: each lead byte allows one range of second
// bytes, which includes 0x80 or 0xBF or starts at 0xA0 or 0x90.)
bool may_become_character(std::string_view tail) {
  for (const char* fill : {"\x80\x80\x80", "\xBF\xBF\xBF"}) {
    const std::string completed = std::string(tail) + fill;
    if (utf8_length(completed) > static_cast<int>(tail.size())) return true;
  }
  return false;
}

// Bytes at the end of `text` that wait for more: at most three.
size_t unfinished(std::string_view text) {
  for (size_t n = std::min<size_t>(3, text.size()); n > 0; --n)
    if (may_become_character(text.substr(text.size() - n))) return n;
  return 0;
}

}  // namespace

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool show_control,
                             std::span<const int32_t> prompt)
    : tokenizer_(&tokenizer), show_control_(show_control) {
  std::string ignored;
  if (!prompt.empty()) tokenizer_->append_piece(prompt.back(), false, at_start_, ignored);
}

std::string StreamDecoder::add(int32_t id) {
  tokenizer_->append_piece(id, show_control_, at_start_, pending_);
  std::string complete = pending_.substr(0, pending_.size() - unfinished(pending_));
  pending_.erase(0, complete.size());
  return complete;
}

std::string StreamDecoder::flush() {
  return std::exchange(pending_, {});
}

}  // namespace plumb
