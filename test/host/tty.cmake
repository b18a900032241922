# The tty server: its line discipline alone, and its operations on a fake kernel.
set(tty ${TERN_TOP}/user/servers/tty)
tern_host_test(NAME ldisc SOURCES tty/ldisc_test.c ${tty}/ldisc.c)
tern_host_test(NAME tty SOURCES tty/tty_test.c ${tty}/tty_ops.c ${tty}/tty_job.c ${tty}/tty_ioctl.c ${tty}/pty.c
	${tty}/ldisc.c ${TERN_TOP}/user/lib/pool.c ${TERN_TOP}/user/lib/anonymous.c)
