# Writes OUTPUT, a header that says which source is being built: PLUMB_BUILD_COMMIT, with -dirty where files that git knows have changes,
# and PLUMB_BUILD_NUMBER, the commits until then; "unknown" and 0 outside a git checkout. Run by every build; a file that would stay the
# same is not touched.
#   cmake -DSOURCE=<checkout> -DOUTPUT=<file> -P build_info.cmake
set(commit "unknown")
set(number 0)
find_package(Git QUIET)
if(GIT_FOUND AND EXISTS ${SOURCE}/.git)
  function(git variable)
    execute_process(COMMAND ${GIT_EXECUTABLE} ${ARGN} WORKING_DIRECTORY ${SOURCE}
      OUTPUT_VARIABLE output RESULT_VARIABLE problem OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(NOT problem AND NOT output STREQUAL "")
      set(${variable} "${output}" PARENT_SCOPE)
    endif()
  endfunction()
  git(commit rev-parse --short=8 HEAD)
  git(number rev-list --count HEAD)
  git(changes --no-optional-locks status --porcelain --untracked-files=no)
  if(DEFINED changes)
    string(APPEND commit "-dirty")
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#define PLUMB_BUILD_COMMIT \"${commit}\"\n#define PLUMB_BUILD_NUMBER ${number}\n")
