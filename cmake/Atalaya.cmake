# The few functions that every room's CMakeLists.txt uses. No global flags: what all targets share is on atalaya_options.

add_library(atalaya_options INTERFACE)
target_compile_features(atalaya_options INTERFACE cxx_std_20)
target_include_directories(atalaya_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
target_compile_options(atalaya_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
if(ATALAYA_WERROR)
  target_compile_options(atalaya_options INTERFACE -Werror)
endif()
if(CMAKE_UNITY_BUILD)
  # With several sources in one unit, g++ takes each source's anonymous namespace for a header's.
  target_compile_options(atalaya_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_options(atalaya_options INTERFACE -O1 -g1)
endif()
if(ATALAYA_SANITIZE)
  target_compile_options(atalaya_options INTERFACE -fsanitize=${ATALAYA_SANITIZE}
                         -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(atalaya_options INTERFACE -fsanitize=${ATALAYA_SANITIZE})
endif()

# atalaya_library(NAME SOURCES a.cc ... [PUBLIC target ...] [PRIVATE target ...]): a room, or a part of one.
function(atalaya_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC atalaya_options ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
endfunction()

# atalaya_program(NAME SOURCES main.cc [LINK target ...]): a program, in bin/ of the build folder.
function(atalaya_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE atalaya_options ${ARG_LINK})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  install(TARGETS ${name} RUNTIME DESTINATION bin)
endfunction()

# atalaya_test(NAME SOURCES a_test.cc ... [LINK target ...]): one GoogleTest program, one CTest entry.
function(atalaya_test name)
  if(NOT ATALAYA_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE atalaya_options ${ARG_LINK} GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300)
endfunction()

# atalaya_script_test(NAME COMMAND ...): a black-box test; finds the programs through ATALAYA_BIN.
function(atalaya_script_test name)
  if(NOT ATALAYA_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "TIMEOUT" "COMMAND" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_test(NAME ${name} COMMAND ${ARG_COMMAND} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} SKIP_RETURN_CODE 77
    ENVIRONMENT "ATALAYA_BIN=${PROJECT_BINARY_DIR}/bin;ATALAYA_PEERS=${PROJECT_SOURCE_DIR}/build/peers")
endfunction()

# atalaya_fuzzer(NAME SOURCES a_fuzzer.cc CORPUS DIR [LINK target ...]): with clang a libFuzzer program in fuzz/; in every
# build a test that runs the corpus through the same entry point.
function(atalaya_fuzzer name)
  if(NOT ATALAYA_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;LINK" ${ARGN})
  add_executable(${name}_corpus ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus_main.cc)
  target_link_libraries(${name}_corpus PRIVATE atalaya_options ${ARG_LINK})
  add_test(NAME ${name}_corpus COMMAND ${name}_corpus ${ARG_CORPUS} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_executable(${name} EXCLUDE_FROM_ALL ${ARG_SOURCES})
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(${name} PRIVATE atalaya_options ${ARG_LINK})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
  endif()
endfunction()
