#pragma once
// What a TemplateRenderer and its worker say to each other over one socket: a header, then that
// many bytes. Both are the same program, so plain structs do.

#include <cstdint>
#include <ctime>

namespace plumb {

inline constexpr uint32_t kTemplateMagic = 0x314a5450;  // "PTJ1"

struct TemplateRequest {
  uint32_t magic = kTemplateMagic;
  uint32_t has_now = 0;
  int32_t now[8] = {};  // sec, min, hour, mday, mon, year, wday, yday of struct tm
  int64_t source_bytes = 0;
  int64_t context_bytes = 0;  // MessagePack, after the source
  int64_t heap_bytes = 0;     // limits of the worker for this request
  int64_t address_space_bytes = 0;
  int64_t cpu_seconds = 0;
  int64_t input_bytes = 0;
};

enum class TemplateStatus : int32_t { rendered = 0, failed = 1 };

struct TemplateResponse {
  uint32_t magic = kTemplateMagic;
  TemplateStatus status = TemplateStatus::failed;
  int64_t line = 0;
  int64_t text_bytes = 0;
  int64_t is_last = 0;  // the worker ends after this answer: its memory is no longer clean
};

// Exit code of a worker whose template wanted more memory than allowed.
inline constexpr int kTemplateOutOfMemory = 77;

}  // namespace plumb
