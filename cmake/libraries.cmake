# Every library of DESIGN §2 as one CMake target. Each may come from elsewhere: CMAKE_PREFIX_PATH.

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(doctest REQUIRED)
find_package(nlohmann_json REQUIRED)

# library(TARGET HEADER header LIBRARIES names… [INCLUDE suffixes…] [LINK targets…])
function(library target)
  cmake_parse_arguments(L "" "HEADER" "LIBRARIES;INCLUDE;LINK" ${ARGN})
  find_path(${target}_INCLUDE ${L_HEADER} REQUIRED PATH_SUFFIXES ${L_INCLUDE})
  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE ${${target}_INCLUDE})
  foreach(lib ${L_LIBRARIES})
    find_library(${target}_${lib} ${lib} REQUIRED)
    target_link_libraries(${target} INTERFACE ${${target}_${lib}})
  endforeach()
  target_link_libraries(${target} INTERFACE ${L_LINK})
endfunction()

library(caf HEADER caf/actor.hpp LIBRARIES caf_io caf_core LINK Threads::Threads)
# An unregistered message type fails the build instead of a remote node.
target_compile_definitions(caf INTERFACE CAF_ENABLE_TYPE_ID_CHECKS)
if(RTDP_SANITIZE)
  # CAF 0.17.6 binds a reference to a null pointer for function actors without arguments
  # (detail/init_fun_factory.hpp:85); ASan still finds what a real null pointer does.
  target_compile_options(caf INTERFACE -fno-sanitize=null)
endif()
# What only nodes of a cluster need of CAF: connections with TLS.
library(caf_tls HEADER openssl/ssl.h LIBRARIES ssl crypto LINK caf)
library(rdkafka HEADER librdkafka/rdkafka.h LIBRARIES rdkafka)
library(simdjson HEADER simdjson.h LIBRARIES simdjson)
library(robin_map HEADER tsl/robin_set.h)
library(sqlite HEADER sqlite3.h LIBRARIES sqlite3)
library(libpq HEADER libpq-fe.h LIBRARIES pq INCLUDE postgresql)
library(libmariadb HEADER mysql.h LIBRARIES mariadb INCLUDE mariadb)
library(libcurl HEADER curl/curl.h LIBRARIES curl)
library(re2 HEADER re2/re2.h LIBRARIES re2)
library(crypto HEADER openssl/evp.h LIBRARIES crypto)
library(prometheus HEADER prometheus/registry.h LIBRARIES prometheus-cpp-core)
library(civetweb HEADER civetweb.h LIBRARIES civetweb)

# DuckDB is not in Debian: a system library, or what cmake/prepare.sh put into .deps.
find_path(duckdb_INCLUDE duckdb.h REQUIRED HINTS ${PROJECT_SOURCE_DIR}/.deps/duckdb/include)
find_library(duckdb_LIBRARY duckdb REQUIRED HINTS ${PROJECT_SOURCE_DIR}/.deps/duckdb/lib)
add_library(duckdb SHARED IMPORTED)
set_target_properties(duckdb PROPERTIES IMPORTED_LOCATION ${duckdb_LIBRARY}
                                        INTERFACE_INCLUDE_DIRECTORIES ${duckdb_INCLUDE})
