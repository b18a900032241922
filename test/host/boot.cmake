# What the kernel parses at start-up, and its log.
tern_host_test(NAME fdt SOURCES fdt_test.c ${TERN_TOP}/kernel/fdt.c
	DEFINES VIRT_DTB="${TERN_FRAGMENT_DIR}/corpus/fdt/virt-4.dtb")
tern_fuzz(NAME fdt SOURCES fdt_fuzz.c ${TERN_TOP}/kernel/fdt.c SECONDS 10)
tern_host_test(NAME archive SOURCES archive_test.c ${TERN_TOP}/kernel/archive.c)
tern_fuzz(NAME archive SOURCES archive_fuzz.c ${TERN_TOP}/kernel/archive.c SECONDS 10)
tern_host_test(NAME log SOURCES log_test.c ${TERN_TOP}/kernel/lib/log.c)
