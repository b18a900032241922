# Tern's own small shell on the host: it must do as the host's sh does.
add_executable(host-tsh ${TERN_TOP}/user/programs/tsh.c)
target_compile_options(host-tsh PRIVATE -Wall -Wextra -Werror -g -O1 -fsanitize=address,undefined
	-fno-sanitize-recover=all)
target_link_options(host-tsh PRIVATE -fsanitize=address,undefined)
add_dependencies(host-tests host-tsh)
add_test(NAME host-tsh COMMAND ${TERN_FRAGMENT_DIR}/tsh-test $<TARGET_FILE:host-tsh>)
set_tests_properties(host-tsh PROPERTIES LABELS host TIMEOUT 60)
# The tools that make and carry the image.
add_test(NAME host-tools COMMAND ${TERN_FRAGMENT_DIR}/tools-test)
set_tests_properties(host-tools PROPERTIES LABELS host TIMEOUT 60)
