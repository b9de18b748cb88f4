# One function per kind of thing. Sources are listed by name; nothing is globbed.

add_library(holdfast_flags INTERFACE)
target_compile_features(holdfast_flags INTERFACE cxx_std_23)
target_compile_options(holdfast_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
  -Wno-gnu-statement-expression      # TRY() is a statement expression where it yields a value
  -Wno-missing-field-initializers)   # designated initialisers leave the rest at their defaults
if(HOLDFAST_WERROR)
  target_compile_options(holdfast_flags INTERFACE -Werror)
endif()
target_compile_definitions(holdfast_flags INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_CONTEXT_KEYWORDS)
target_include_directories(holdfast_flags INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_BINARY_DIR}/generated)
# Seen as system headers, so that their warnings are not ours.
target_include_directories(holdfast_flags SYSTEM INTERFACE ${Boost_INCLUDE_DIRS})

# Off the paths of the data a program is built small, which also takes a fifth less time to build.
set(HOLDFAST_SMALL "$<$<CONFIG:Release>:-Oz>")
# Compiling a test costs more than running it; what it tests is optimised.
set(HOLDFAST_QUICK "$<$<CONFIG:Release>:-O0;-U_FORTIFY_SOURCE>")

# holdfast_module(NAME [SMALL] SOURCES a.cc … [DEPS other modules or libraries]
#                 [EMBED file …]          each becomes generated/NAME/<file with _ for other signs>.h
#                 [TESTS a_test.cc …] [TEST_SOURCES helper.cc …] [TEST_DEPS …])
# makes the static library holdfast_NAME (alias holdfast::NAME) and its test program NAME_test.
function(holdfast_module name)
  cmake_parse_arguments(M "SMALL" "" "SOURCES;DEPS;EMBED;TESTS;TEST_SOURCES;TEST_DEPS" ${ARGN})
  string(REPLACE "/" "_" target ${name})
  add_library(holdfast_${target} STATIC ${M_SOURCES})
  add_library(holdfast::${target} ALIAS holdfast_${target})
  target_link_libraries(holdfast_${target} PUBLIC holdfast_flags ${M_DEPS})
  if(M_SMALL)
    target_compile_options(holdfast_${target} PRIVATE ${HOLDFAST_SMALL})
  endif()
  if(M_EMBED)
    embed_files(holdfast_${target} ${name} ${M_EMBED})
  endif()
  if(M_TESTS AND HOLDFAST_TESTS)
    add_executable(${target}_test ${M_TESTS} ${M_TEST_SOURCES})
    target_link_libraries(${target}_test PRIVATE holdfast_${target} ${M_TEST_DEPS} GTest::gtest GTest::gtest_main)
    target_include_directories(${target}_test PRIVATE ${CMAKE_SOURCE_DIR}/tests)
    target_compile_options(${target}_test PRIVATE ${HOLDFAST_QUICK})
    gtest_discover_tests(${target}_test TEST_PREFIX "${target}." DISCOVERY_MODE PRE_TEST
      PROPERTIES LABELS unit TIMEOUT 120)
  endif()
endfunction()

# Makes <build>/generated/<module>/<name>.h with `inline constexpr std::string_view k_<name>` for each file.
function(embed_files target module)
  foreach(file ${ARGN})
    get_filename_component(path ${file} ABSOLUTE)
    string(MAKE_C_IDENTIFIER ${file} id)
    set(out ${CMAKE_BINARY_DIR}/generated/${module}/${id}.h)
    add_custom_command(OUTPUT ${out}
      COMMAND ${CMAKE_COMMAND} -DIN=${path} -DOUT=${out} -DID=k_${id} -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
      DEPENDS ${path} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
    target_sources(${target} PRIVATE ${out})
  endforeach()
endfunction()

# holdfast_program(NAME [SMALL] SOURCES … DEPS …) makes bin/NAME.
function(holdfast_program name)
  cmake_parse_arguments(P "SMALL" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${P_SOURCES})
  if(P_SMALL)
    target_compile_options(${name} PRIVATE ${HOLDFAST_SMALL})
  endif()
  target_link_libraries(${name} PRIVATE holdfast_flags ${P_DEPS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()
