# floor(FOLDER ON libraries…): one static library from all .cpp files of a folder (not of its
# subfolders), named after it: actors/sink becomes actors_sink. A folder that holds only headers
# becomes an INTERFACE library.

add_library(warnings INTERFACE)
target_compile_options(warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow)

if(RTDP_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
if(RTDP_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

function(floor folder)
  cmake_parse_arguments(F "" "" "ON" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  string(REPLACE "/" "_" target ${folder})
  if(sources)
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(${target} PUBLIC ${F_ON} PRIVATE warnings)
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
      set_tests_properties(${folder}/${server} PROPERTIES LABELS server TIMEOUT 600 RUN_SERIAL ON)
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
  add_executable(${name} ${sources} ${PROJECT_SOURCE_DIR}/test/support/main.cpp)
  target_link_libraries(${name} PRIVATE ${libraries} doctest::doctest warnings)
endfunction()
