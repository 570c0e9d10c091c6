# A room is one folder of src/ built as one static library, plumb_<name>. Dependencies between rooms point one way:
# apps -> measure -> generate -> backend -> plan -> model -> text, gguf -> formats -> base.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# One contract for floating point on every machine: no silent fusing, no fast-math. Kernels that want an FMA say so.
add_library(plumb_options INTERFACE)
target_compile_options(plumb_options INTERFACE -Wall -Wextra -Wshadow -Wno-missing-field-initializers -Werror -ffp-contract=off)
target_include_directories(plumb_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
if(PLUMB_SANITIZE)
  target_compile_options(plumb_options INTERFACE -fsanitize=${PLUMB_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(plumb_options INTERFACE -fsanitize=${PLUMB_SANITIZE})
endif()
if(PLUMB_FUZZ)
  target_compile_options(plumb_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# plumb_room(NAME [LINK target ...]): every .cpp of the calling folder becomes the library plumb_NAME. A room may hold only headers.
function(plumb_room name)
  cmake_parse_arguments(arg "" "" "LINK;SOURCES" ${ARGN})
  if(NOT arg_SOURCES)
    file(GLOB arg_SOURCES CONFIGURE_DEPENDS *.cpp)
  endif()
  if(NOT arg_SOURCES)
    add_library(plumb_${name} INTERFACE)
    target_link_libraries(plumb_${name} INTERFACE plumb_options ${arg_LINK})
    return()
  endif()
  add_library(plumb_${name} STATIC ${arg_SOURCES})
  target_link_libraries(plumb_${name} PUBLIC plumb_options ${arg_LINK})
endfunction()

# plumb_unoptimised(target ...): compiles in half the time. For what checks and does not measure, and, where sanitizers look for mistakes,
# for what has no large loops. Fuzzers need their speed.
function(plumb_unoptimised)
  if(PLUMB_FUZZ)
    return()
  endif()
  foreach(target ${ARGN})
    target_compile_options(${target} PRIVATE -O0)
  endforeach()
endfunction()

# plumb_test_headers(): the large headers that nearly all tests include, compiled once for all.
function(plumb_test_headers)
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/test_headers.cpp "int main() {}\n")
  add_executable(plumb_test_headers EXCLUDE_FROM_ALL ${CMAKE_CURRENT_BINARY_DIR}/test_headers.cpp)
  target_link_libraries(plumb_test_headers PRIVATE plumb_options nlohmann_json::nlohmann_json GTest::gmock)
  target_precompile_headers(plumb_test_headers PRIVATE <gmock/gmock.h> <gtest/gtest.h> <nlohmann/json.hpp>)
  plumb_unoptimised(plumb_test_headers)
endfunction()

# plumb_test_program(NAME [OPTIMISED] [LINK target ...]): every *_test.cpp of the calling folder becomes the program NAME_test.
# OPTIMISED: the tests themselves have large loops.
function(plumb_test_program name)
  cmake_parse_arguments(arg "OPTIMISED" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *_test.cpp)
  add_executable(${name}_test ${sources})
  target_include_directories(${name}_test PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${name}_test PRIVATE ${arg_LINK} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name}_test PRIVATE
    PLUMB_SOURCE_DIR="${PROJECT_SOURCE_DIR}" PLUMB_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
  if(NOT arg_OPTIMISED AND NOT PLUMB_FUZZ)
    plumb_unoptimised(${name}_test)
    if(PLUMB_PRECOMPILE)
      target_precompile_headers(${name}_test REUSE_FROM plumb_test_headers)
    endif()
  endif()
  if(TARGET plumb)
    target_compile_definitions(${name}_test PRIVATE PLUMB_PROGRAM="$<TARGET_FILE:plumb>")
    add_dependencies(${name}_test plumb)
  endif()
endfunction()

# plumb_tests(NAME [OPTIMISED] [LINK target ...]): that program and its tests.
function(plumb_tests name)
  plumb_test_program(${name} ${ARGN})
  gtest_discover_tests(${name}_test TEST_PREFIX ${PLUMB_TEST_PREFIX}${name}. TEST_FILTER "${PLUMB_TEST_FILTER}" DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 300)
endfunction()

# plumb_emulated_tests(NAME PROCESSOR FILTER): those tests of NAME_test that GoogleTest's filter lets through, on a processor that
# qemu knows by this name.
function(plumb_emulated_tests name processor filter)
  set_property(TARGET ${name}_test PROPERTY CROSSCOMPILING_EMULATOR ${CMAKE_CROSSCOMPILING_EMULATOR} -cpu ${processor})
  gtest_discover_tests(${name}_test TEST_PREFIX ${PLUMB_TEST_PREFIX}${processor}.${name}. TEST_FILTER ${filter}
    DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 300)
endfunction()

# plumb_bench(NAME [LINK target ...]): every *_bench.cpp of the calling folder becomes the program NAME_bench (Google Benchmark), which
# is built only when asked for.
function(plumb_bench name)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *_bench.cpp)
  add_executable(${name}_bench EXCLUDE_FROM_ALL ${sources})
  target_link_libraries(${name}_bench PRIVATE ${arg_LINK} benchmark::benchmark_main)
endfunction()

# plumb_fuzz(NAME [LINK target ...]): NAME_fuzz.cpp defines LLVMFuzzerTestOneInput. Under the fuzz preset it is a libFuzzer
# program; elsewhere it replays the files of its corpus (tests/fuzz/corpus/NAME) as a test.
function(plumb_fuzz name)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  add_executable(${name}_fuzz ${name}_fuzz.cpp)
  target_link_libraries(${name}_fuzz PRIVATE ${arg_LINK})
  plumb_unoptimised(${name}_fuzz)
  if(PLUMB_FUZZ)
    target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(${name}_fuzz PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cpp)
    add_test(NAME ${PLUMB_TEST_PREFIX}fuzz.${name}.corpus COMMAND ${name}_fuzz ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(${PLUMB_TEST_PREFIX}fuzz.${name}.corpus PROPERTIES TIMEOUT 300)
  endif()
endfunction()
