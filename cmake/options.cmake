# Flags that every target shares, on the interface target `messina_options`.
add_library(messina_options INTERFACE)
target_include_directories(messina_options INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
target_compile_options(messina_options INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor)
target_compile_definitions(messina_options INTERFACE MESSINA_VERSION="${PROJECT_VERSION}")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these inside the standard library and Asio's coroutines, wrongly (GCC bugs 105562, 105329).
  target_compile_options(messina_options INTERFACE -Wno-maybe-uninitialized -Wno-restrict -Wno-mismatched-new-delete)
endif()

# The presets turn it on: one setting for every door of the project, as a change of it rebuilds everything.
option(MESSINA_WERROR "Treat warnings as errors" OFF)
if(MESSINA_WERROR)
  target_compile_options(messina_options INTERFACE -Werror)
endif()

if(MESSINA_SANITIZE)
  list(JOIN MESSINA_SANITIZE "," _sanitizers)
  target_compile_options(messina_options INTERFACE -fsanitize=${_sanitizers} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(messina_options INTERFACE -fsanitize=${_sanitizers})
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Precompiled headers and ccache agree only with these settings (ccache manual, "Precompiled headers").
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE_PROGRAM})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_compile_options(messina_options INTERFACE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(messina_options INTERFACE -fpch-preprocess)
  endif()
endif()
