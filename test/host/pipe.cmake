# The pipe server on a fake kernel.  Its main() is renamed; allocations can be made to fail.
set(pipe ${TERN_TOP}/user/servers/pipe)
tern_host_test(NAME pipe SOURCES pipe/pipe_test.c pipe/pipe_server.c ${pipe}/pipe_ops.c ${pipe}/fifo.c
	${pipe}/users.c
	${pipe}/eventfd.c ${TERN_TOP}/user/lib/pool.c ${TERN_TOP}/user/lib/anonymous.c
	DEFINES malloc=fake_malloc calloc=fake_calloc)
