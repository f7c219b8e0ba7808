# Language level, warnings, ccache, linker and sanitizers.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)

# assert() stays on in every build.
string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_RELWITHDEBINFO "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")

add_compile_options(-Wall -Wextra -Wpedantic)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(--param=ggc-min-heapsize=1048576)  # KiB until g++ collects its garbage: a tenth of the time
endif()

if(GS_CCACHE)
  find_program(GS_CCACHE_PROGRAM ccache)
  if(GS_CCACHE_PROGRAM)
    # The last two let a second build folder reuse what the first one compiled.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
        CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${GS_CCACHE_PROGRAM})
    if(GS_PCH AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
    elseif(GS_PCH)
      add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
    endif()
  endif()
endif()

if(GS_LINKER)
  add_link_options(-fuse-ld=${GS_LINKER})
endif()

if(GS_SANITIZE)
  string(REPLACE "fuzzer-no-link," "" gs_link_sanitize "${GS_SANITIZE}")
  add_compile_options(-fsanitize=${GS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${gs_link_sanitize})
  if(GS_SANITIZE MATCHES "undefined" AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options(-fno-sanitize=function)  # does not compile together with coroutines
    add_link_options(-fno-sanitize=function)
  endif()
  if(GS_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)  # Asio uses atomic_thread_fence
  endif()
endif()

if(GS_FUZZ AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "GS_FUZZ needs clang++, but the compiler is ${CMAKE_CXX_COMPILER}. Use: cmake --preset fuzz")
endif()

if(GS_PLANTED_BUGS)
  add_compile_definitions(GS_PLANTED_BUGS)
endif()
