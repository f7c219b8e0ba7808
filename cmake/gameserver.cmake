# How the parts of this project are declared: gs_library, gs_role, gs_module, gs_simulation.

# What every target gets: the include folders and the vocabulary libraries.
add_library(gs_common INTERFACE)
target_include_directories(gs_common INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
# Asio belongs here because its macros must be the same in every file that sees one of its types.
target_link_libraries(gs_common INTERFACE fmt::fmt tl::expected gs_asio)

# One precompiled header for all; toml++ and Asio stay out of it (few files include them).
if(GS_PCH)
  file(WRITE ${PROJECT_BINARY_DIR}/generated/pch.cpp.new "// generated: carries the precompiled header\n")
  file(COPY_FILE ${PROJECT_BINARY_DIR}/generated/pch.cpp.new ${PROJECT_BINARY_DIR}/generated/pch.cpp ONLY_IF_DIFFERENT)
  add_library(gs_pch OBJECT ${PROJECT_BINARY_DIR}/generated/pch.cpp)
  target_link_libraries(gs_pch PUBLIC gs_common)
  target_precompile_headers(gs_pch PRIVATE ${PROJECT_SOURCE_DIR}/src/pch.hpp)
endif()

function(gs_use_pch target)
  if(GS_PCH)
    target_precompile_headers(${target} REUSE_FROM gs_pch)
  endif()
endfunction()

# Finds the sources below a folder: library sources in `sources`, tests go to the list of all unit tests.
function(gs_find_sources folder sources)
  file(GLOB_RECURSE found CONFIGURE_DEPENDS ${folder}/*.cpp)
  set(tests ${found})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER found EXCLUDE REGEX "(_test|_fuzz|_sim)\\.cpp$")
  set_property(GLOBAL APPEND PROPERTY GS_TEST_SOURCES ${tests})
  set(${sources} ${found} PARENT_SCOPE)
endfunction()

# gs_library(<folder of src> USES <lower folders> PRIVATE <libraries>): the static library gs_<folder>.
function(gs_library name)
  cmake_parse_arguments(arg "" "" "USES;PRIVATE" ${ARGN})
  gs_find_sources(${PROJECT_SOURCE_DIR}/src/${name} sources)
  list(TRANSFORM arg_USES PREPEND gs_)
  list(REMOVE_ITEM sources ${PROJECT_SOURCE_DIR}/src/app/config/toml.cpp)
  if(sources)
    add_library(gs_${name} STATIC ${sources})
    target_link_libraries(gs_${name} PUBLIC gs_common ${arg_USES} PRIVATE ${arg_PRIVATE})
    gs_use_pch(gs_${name})
  else()
    add_library(gs_${name} INTERFACE)
    target_link_libraries(gs_${name} INTERFACE gs_common ${arg_USES})
  endif()
endfunction()

# A role or module: the calling folder becomes a static library and enters the generated table.
function(gs_add_part kind name)
  set(folder ${CMAKE_CURRENT_SOURCE_DIR})
  if(NOT name MATCHES "^[a-z][a-z0-9_]*$")
    message(FATAL_ERROR "${folder}: gs_${kind}(${name}): the name must be snake_case, it becomes the variable ${name}_${kind}")
  endif()
  get_property(earlier GLOBAL PROPERTY GS_FOLDER_OF_${kind}_${name})
  if(earlier)
    message(FATAL_ERROR "two ${kind}s are named '${name}':\n  ${earlier}\n  ${folder}\nRename one of them.")
  endif()
  set_property(GLOBAL PROPERTY GS_FOLDER_OF_${kind}_${name} ${folder})
  gs_find_sources(${folder} sources)
  if(NOT sources)
    message(WARNING "${folder}: gs_${kind}(${name}) found no .cpp file, so it is left out; "
                    "expected ${name}.cpp, which defines ${name}_${kind}")
    return()
  endif()
  set_property(GLOBAL APPEND PROPERTY GS_ALL_${kind} ${name})
  add_library(gs_${kind}_${name} STATIC ${sources})
  target_link_libraries(gs_${kind}_${name} PUBLIC gs_api)
  cmake_path(IS_PREFIX PROJECT_SOURCE_DIR ${folder} NORMALIZE inside)
  if(NOT inside)
    target_include_directories(gs_${kind}_${name} PUBLIC ${folder}/..)
  endif()
  gs_use_pch(gs_${kind}_${name})
  if(kind STREQUAL module AND CMAKE_BUILD_TYPE STREQUAL Debug)
    target_compile_options(gs_${kind}_${name} PRIVATE -g)  # all that a debugger can show of a handler
  endif()
endfunction()

function(gs_role name)
  gs_add_part(role ${name})
endfunction()

function(gs_module name)
  gs_add_part(module ${name})
endfunction()

# The program <name>_sim: the *_sim.cpp of the calling folder, a workload for the simulator, and its main(). A test runs
# some seeds of it.
function(gs_simulation name)
  if(NOT BUILD_TESTING)
    return()
  endif()
  file(GLOB found CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_sim.cpp)
  add_executable(${name}_sim ${found})
  target_link_libraries(${name}_sim PRIVATE gs_sim_kit)
  set_target_properties(${name}_sim PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  gs_use_pch(${name}_sim)
  set_property(GLOBAL APPEND PROPERTY GS_SIMULATIONS ${name}_sim)
endfunction()

# Adds every folder below the calling one that has a CMakeLists.txt.
function(gs_add_subfolders)
  file(GLOB found CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*/CMakeLists.txt)
  foreach(file IN LISTS found)
    cmake_path(GET file PARENT_PATH folder)
    add_subdirectory(${folder})
  endforeach()
endfunction()

function(gs_add_extra_modules)
  foreach(folder IN LISTS GAMESERVER_EXTRA_MODULES)
    cmake_path(ABSOLUTE_PATH folder BASE_DIRECTORY ${CMAKE_SOURCE_DIR} NORMALIZE)
    if(NOT EXISTS ${folder}/CMakeLists.txt)
      message(FATAL_ERROR "GAMESERVER_EXTRA_MODULES names ${folder}, which has no CMakeLists.txt. "
                          "It should hold one line: gs_module(<name>)")
    endif()
    cmake_path(GET folder FILENAME name)
    add_subdirectory(${folder} ${CMAKE_BINARY_DIR}/extra_modules/${name})
  endforeach()
endfunction()

# Writes registry.cpp, the table of the roles and modules compiled in, as the library gs_registry.
function(gs_add_registry)
  set(declarations "")
  set(tables "")
  set(libraries "")
  foreach(kind role module)
    set(type ModuleInfo)
    if(kind STREQUAL role)
      set(type RoleInfo)
    endif()
    get_property(names GLOBAL PROPERTY GS_ALL_${kind})
    list(SORT names)
    set(pointers "")
    foreach(name IN LISTS names)
      string(APPEND declarations "extern const ${type} ${name}_${kind};\n")
      list(APPEND pointers "&${name}_${kind}")
      list(APPEND libraries gs_${kind}_${name})
    endforeach()
    list(JOIN pointers ", " pointers)
    string(APPEND tables "\nstd::span<const ${type}* const> compiled_${kind}s() {\n")
    if(pointers)
      string(APPEND tables "    static const ${type}* const all[] = {${pointers}};\n    return all;\n}\n")
    else()
      string(APPEND tables "    return {};\n}\n")
    endif()
  endforeach()
  set(file ${PROJECT_BINARY_DIR}/generated/registry.cpp)
  file(CONFIGURE OUTPUT ${file} @ONLY CONTENT [[
// generated by CMake from the gs_role() and gs_module() lines
#include "api/registry.hpp"

namespace gs {

@declarations@@tables@
}  // namespace gs
]])
  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/src/api/registry.hpp)
    message(WARNING "src/api/registry.hpp is missing: the table of roles and modules is left out")
    add_library(gs_registry INTERFACE)
    target_link_libraries(gs_registry INTERFACE ${libraries} gs_api)
    return()
  endif()
  add_library(gs_registry STATIC ${file})
  target_link_libraries(gs_registry PUBLIC ${libraries} gs_api)
endfunction()
