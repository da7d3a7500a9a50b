# floor(FOLDER ON libraries…): one static library from all .cpp files of a folder (not of its
# subfolders), named after it: actors/sink becomes actors_sink. A folder that holds only headers
# becomes an INTERFACE library.

add_library(warnings INTERFACE)
target_compile_options(warnings INTERFACE -Wall -Wextra -Wpedantic)
# In a unity build a local name may equal a helper of another file: only GCC can tell them apart.
if(NOT RTDP_UNITY)
  target_compile_options(warnings INTERFACE -Wshadow)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  target_compile_options(warnings INTERFACE -Wshadow=local)
endif()

if(RTDP_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
if(RTDP_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# unity(TARGET sources…): compiles the files of a folder in groups of equal size, at most 8, in the
# order of their names. The headers are read once a group, which is most of the work.
function(unity target)
  list(LENGTH ARGN files)
  if(RTDP_UNITY AND files GREATER 1)
    math(EXPR groups "(${files} + 7) / 8")
    math(EXPR size "(${files} + ${groups} - 1) / ${groups}")
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${size})
  endif()
endfunction()

function(floor folder)
  cmake_parse_arguments(F "" "" "ON" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  string(REPLACE "/" "_" target ${folder})
  if(sources)
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(${target} PUBLIC ${F_ON} PRIVATE warnings)
    unity(${target} ${sources})
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${target} INTERFACE ${F_ON})
  endif()
endfunction()

# tests(FOLDER ON libraries… [SERVERS names…]): one executable from test/FOLDER/*_test.cpp, and for
# each server NAME one from test/FOLDER/*_NAME_test.cpp, run beside a real server that
# test/services/with starts for it.
function(tests folder)
  cmake_parse_arguments(T "" "" "ON;SERVERS" ${ARGN})
  string(REPLACE "/" "_" name ${folder})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/test/${folder}/*_test.cpp)
  foreach(server ${T_SERVERS})
    set(with_server ${sources})
    list(FILTER with_server INCLUDE REGEX "_${server}_test\\.cpp$")
    list(FILTER sources EXCLUDE REGEX "_${server}_test\\.cpp$")
    if(with_server)
      test_executable(${name}_${server}_test "${with_server}" "${T_ON}")
      add_test(NAME ${folder}/${server}
               COMMAND ${PROJECT_SOURCE_DIR}/test/services/with ${server} --
                       $<TARGET_FILE:${name}_${server}_test>)
      set_tests_properties(${folder}/${server} PROPERTIES LABELS server TIMEOUT 600)
    endif()
  endforeach()
  if(sources)
    test_executable(${name}_test "${sources}" "${T_ON}")
    add_test(NAME ${folder} COMMAND ${name}_test)
    add_dependencies(unit_tests ${name}_test)
    set_tests_properties(${folder} PROPERTIES LABELS unit TIMEOUT 300)
  endif()
endfunction()

function(test_executable name sources libraries)
  add_executable(${name} ${sources} $<TARGET_OBJECTS:test_main>)
  target_link_libraries(${name} PRIVATE ${libraries} doctest::doctest warnings)
  unity(${name} ${sources})
endfunction()
