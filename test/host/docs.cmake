# The page of system calls says what the code does.
add_test(NAME host-syscalls-doc COMMAND ${TERN_TOP}/tools/syscalls-doc)
# The pictures of the book are of what its outputs show.
add_test(NAME host-book COMMAND ${TERN_TOP}/tools/renew-book --check)
set_tests_properties(host-syscalls-doc host-book PROPERTIES LABELS host TIMEOUT 30)
# And so does the page of Tern's own operations.
add_test(NAME host-native-doc COMMAND ${TERN_TOP}/tools/native-doc)
set_tests_properties(host-native-doc PROPERTIES LABELS host TIMEOUT 30)
