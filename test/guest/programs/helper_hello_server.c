/* The server of docs/howto.md, for authority.c to run as a learner would. */
#include "../../../user/examples/hello_server.c"
