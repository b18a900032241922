/* The pipe server's table, with its main() out of the way of the test's. */
#define main pipe_main
#include "../../../user/servers/pipe/main.c"
