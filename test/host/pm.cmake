# The process manager's pure logic.
set(pm ${TERN_TOP}/user/servers/pm)
tern_host_test(NAME pm_tree SOURCES pm/tree_test.c ${pm}/tree.c INCLUDES ${pm})
tern_host_test(NAME pm_image SOURCES pm/image_test.c ${pm}/elf.c ${pm}/stack.c
	${pm}/layout.c INCLUDES ${pm})
tern_host_test(NAME pm_boot SOURCES pm/boot_test.c ${pm}/cpio.c ${pm}/text.c INCLUDES ${pm})
