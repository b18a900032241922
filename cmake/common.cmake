# What every part shares: the flags that are the same for kernel, servers, programs and tests.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_C_FLAGS_DEBUG "-O2 -g")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_ASM_FLAGS_DEBUG "-g")
set(CMAKE_ASM_FLAGS_RELEASE "-g")
set(TERN_TOP ${CMAKE_CURRENT_LIST_DIR}/..)
get_filename_component(TERN_TOP ${TERN_TOP} ABSOLUTE)
set(TERN_WARNINGS -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wundef
	-Wvla)
if(CMAKE_BUILD_TYPE STREQUAL Debug)
	set(TERN_DEBUG 1)
else()
	set(TERN_DEBUG 0)
endif()

# Linux's own headers of what programs see (linux/, asm/, asm-generic/) in linux-headers of the build:
# those of the cross compiler for riscv64 Linux, without the C library's that lie beside them.
function(tern_linux_headers)
	execute_process(COMMAND riscv64-linux-gnu-gcc -M -include linux/errno.h -x c /dev/null
		OUTPUT_VARIABLE found COMMAND_ERROR_IS_FATAL ANY)
	set(headers ${CMAKE_BINARY_DIR}/linux-headers)
	file(MAKE_DIRECTORY ${headers})
	foreach(part linux asm asm-generic)
		string(REGEX MATCH "[^ \n]*/${part}/errno\\.h" path "${found}")
		get_filename_component(path ${path} DIRECTORY)
		file(CREATE_LINK ${path} ${headers}/${part} SYMBOLIC)
	endforeach()
endfunction()
