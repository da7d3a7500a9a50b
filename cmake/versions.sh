# Every version that is not Debian's, in one place; sourced by the scripts that fetch them.
DUCKDB_NODE_VERSION=1.4.4-r.1
DUCKDB_HEADER_VERSION=1.4.4
KAFKA_VERSION=4.1.1
SLF4J_VERSION=1.7.36
