# The tty server's line discipline.
tern_host_test(NAME ldisc SOURCES tty/ldisc_test.c ${TERN_TOP}/user/servers/tty/ldisc.c)
