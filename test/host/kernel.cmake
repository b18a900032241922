# The kernel's pure data structures against naive models.
set(kernel ${TERN_TOP}/kernel)
tern_host_test(NAME idtable SOURCES idtable_test.c kernel_fake.c ${kernel}/idtable.c)
tern_host_test(NAME timer SOURCES timer_test.c kernel_fake.c ${kernel}/timer.c)
tern_host_test(NAME runq SOURCES runq_test.c kernel_fake.c ${kernel}/runq.c)
tern_host_test(NAME handle SOURCES handle_test.c kernel_fake.c ${kernel}/handle.c)
