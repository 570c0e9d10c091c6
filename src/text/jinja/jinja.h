/* The template engine of src/text/jinja (Rust): one function that renders, and the limits of the
   process it runs in. No text is null-terminated. No call unwinds or aborts into the caller, except
   that a template can overflow the stack of the thread it runs on (see stack_bytes): callers that
   render untrusted templates do so in a process they can lose. */
#ifndef PLUMB_JINJA_H
#define PLUMB_JINJA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  const uint8_t* source; /* the template, which should be UTF-8 */
  size_t source_size;
  const uint8_t* context; /* its variables: one MessagePack map with string keys */
  size_t context_size;
  /* Writes the time now in the given strftime format to `out` and returns the length; more than
     `capacity` when it does not fit. May be null: then templates cannot ask for the time. */
  size_t (*strftime_now)(void* user, const uint8_t* format, size_t format_size, uint8_t* out,
                         size_t capacity);
  void* user;
  uint64_t fuel; /* instructions the template may execute; 0: no bound */
  /* Of the thread that renders; 64 MiB hold every template that the engine's guards let through. */
  size_t stack_bytes;
} plumb_jinja_request;

/* OK: text is what the template printed. FAILED: text says what is wrong with the template, line
   where (0: unknown). PANICKED: the engine itself failed, a bug that was caught. */
enum { PLUMB_JINJA_OK = 0, PLUMB_JINJA_FAILED = 1, PLUMB_JINJA_PANICKED = 2 };

typedef struct {
  uint8_t* text;
  size_t size;
  size_t line;
  int32_t status;
} plumb_jinja_response;

void plumb_jinja_render(const plumb_jinja_request* request, plumb_jinja_response* response);
void plumb_jinja_free(plumb_jinja_response* response);

/* Bounds the heap of this library (not the stack, nor the caller's heap). Large operations fail
   with an ordinary error when they would pass it; whatever else does is reported to `exceeded`,
   which must not return. */
void plumb_jinja_limit_memory(size_t bytes, void (*exceeded)(void));
size_t plumb_jinja_memory_in_use(void);

#ifdef __cplusplus
}
#endif

#endif
