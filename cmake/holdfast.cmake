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
if(HOLDFAST_UNITS)
  target_include_directories(holdfast_flags INTERFACE ${CMAKE_SOURCE_DIR})  # units name their sources from the root
endif()
# Seen as system headers, so that their warnings are not ours.
target_include_directories(holdfast_flags SYSTEM INTERFACE ${Boost_INCLUDE_DIRS})

# Off the paths of the data a program is built small, which also takes a fifth less time to build.
set(HOLDFAST_SMALL "$<$<CONFIG:Release>:-Oz>")
# Compiling a test costs more than running it; what it tests is optimised.
set(HOLDFAST_QUICK "$<$<CONFIG:Release>:-O0;-U_FORTIFY_SOURCE>")

# holdfast_sources(OUT NAME a.cc b.cc | c.cc …): sets OUT to what is compiled of these sources. Those between two `|` are one
# unit, compiled together so that their headers are read once: <build>/generated/NAME/<first source>_unit.cc, the same text in
# every clone, written where its list has changed. In a unit no name may mean two things at the same scope, and no file may rely
# on another's `using`; a source whose properties are its own stands alone. Without HOLDFAST_UNITS each is compiled by itself.
function(holdfast_sources out name)
  set(compiled "")
  set(unit "")
  file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  foreach(source ${ARGN} |)
    if(NOT source STREQUAL "|")
      list(APPEND unit ${source})
      continue()
    endif()
    list(LENGTH unit length)
    if(HOLDFAST_UNITS AND length GREATER 1)
      list(GET unit 0 first)
      string(MAKE_C_IDENTIFIER ${first} id)
      list(TRANSFORM unit REPLACE "(.+)" "#include \"${folder}/\\1\"\n")
      list(JOIN unit "" text)
      file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/${name}/${id}_unit.cc CONTENT "${text}" @ONLY)
      set(unit ${CMAKE_BINARY_DIR}/generated/${name}/${id}_unit.cc)
    endif()
    list(APPEND compiled ${unit})
    set(unit "")
  endforeach()
  set(${out} ${compiled} PARENT_SCOPE)
endfunction()

# holdfast_module(NAME [SMALL] SOURCES a.cc … [DEPS other modules or libraries]
#                 [EMBED file …]          each becomes generated/NAME/<file with _ for other signs>.h
#                 [TESTS a_test.cc …] [TEST_SOURCES helper.cc …] [TEST_DEPS …])
# makes the static library holdfast_NAME (alias holdfast::NAME) and its test program NAME_test.
function(holdfast_module name)
  cmake_parse_arguments(M "SMALL" "" "SOURCES;DEPS;EMBED;TESTS;TEST_SOURCES;TEST_DEPS" ${ARGN})
  string(REPLACE "/" "_" target ${name})
  holdfast_sources(sources ${name} ${M_SOURCES})
  add_library(holdfast_${target} STATIC ${sources})
  add_library(holdfast::${target} ALIAS holdfast_${target})
  target_link_libraries(holdfast_${target} PUBLIC holdfast_flags ${M_DEPS})
  if(M_SMALL)
    target_compile_options(holdfast_${target} PRIVATE ${HOLDFAST_SMALL})
  endif()
  if(M_EMBED)
    embed_files(holdfast_${target} ${name} ${M_EMBED})
  endif()
  if(M_TESTS AND HOLDFAST_TESTS)
    holdfast_sources(tests ${name} ${M_TESTS})
    add_executable(${target}_test ${tests} ${M_TEST_SOURCES})
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
  holdfast_sources(sources ${name} ${P_SOURCES})
  add_executable(${name} ${sources})
  if(P_SMALL)
    target_compile_options(${name} PRIVATE ${HOLDFAST_SMALL})
  endif()
  target_link_libraries(${name} PRIVATE holdfast_flags ${P_DEPS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()
