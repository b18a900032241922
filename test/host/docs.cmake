# The page of system calls says what the code does.
add_test(NAME host-syscalls-doc COMMAND ${TERN_TOP}/tools/syscalls-doc)
set_tests_properties(host-syscalls-doc PROPERTIES LABELS host TIMEOUT 30)
