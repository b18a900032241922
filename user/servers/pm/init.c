/* Starts pid 1: opens its console and its root, and finds the program to run.
 *
 * The steps are to open /dev/console, to open "/", and then to try the candidates until one can be
 * executed.  Each step is begun when vfs has answered the one before.
 */
#include "pm.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const defaults[] = { "/init", "/sbin/init", "/etc/init", "/bin/init", "/bin/sh" };
#define NDEFAULTS (sizeof defaults / sizeof defaults[0])

static char named[256]; /* the program that rdinit= or init= names; empty: none */
static char envp[1024];
static size_t envp_size;
static unsigned candidate;
static void try_next(void);

static void env_add(const char *name_value)
{
	size_t n = strlen(name_value) + 1;

	if (envp_size + n <= sizeof envp) {
		memcpy(envp + envp_size, name_value, n);
		envp_size += n;
	}
}

/* Reads the kernel's command line.  As on Linux, words with "=" that the system does not know
 * become init's environment. */
static void read_bootargs(void)
{
	static const char *const not_env[] = { "console=", "rdinit=", "init=", "root=", "earlycon=",
					       "loglevel=", "panic=" };
	bool term = false;
	char *word, *next, args[sizeof pm.boot.bootargs];

	memcpy(args, pm.boot.bootargs, sizeof args);
	env_add("HOME=/");
	for (word = strtok_r(args, " \t\n", &next); word; word = strtok_r(NULL, " \t\n", &next)) {
		char *eq = strchr(word, '=');
		bool known = false;

		if (!eq) {
			pm.fixed_layout |= strcmp(word, "norandmaps") == 0;
			continue;
		}
		if (strncmp(word, "rdinit=", 7) == 0 || (strncmp(word, "init=", 5) == 0 && !named[0]))
			snprintf(named, sizeof named, "%s", eq + 1);
		for (size_t i = 0; i < sizeof not_env / sizeof not_env[0]; i++)
			known |= strncmp(word, not_env[i], strlen(not_env[i])) == 0;
		if (known || memchr(word, '.', (size_t)(eq - word)))
			continue;
		term |= strncmp(word, "TERM=", 5) == 0;
		env_add(word);
	}
	if (!term)
		env_add("TERM=linux");
	env_add("PATH=/bin:/sbin:/usr/bin:/usr/sbin");
}

static void tried(long result)
{
	if (result >= 0)
		return;
	if (named[0] && candidate == 0)
		server_log("cannot run %s (error %ld)", named, -result);
	else if (result != -ENOENT)
		server_log("cannot run %s (error %ld)", defaults[candidate - (named[0] ? 1 : 0)],
			   -result);
	candidate++;
	try_next();
}

static void try_next(void)
{
	unsigned i = candidate;

	if (named[0]) {
		if (i == 0) {
			exec_init(named, envp, envp_size, tried);
			return;
		}
		i--;
	}
	if (i < NDEFAULTS) {
		exec_init(defaults[i], envp, envp_size, tried);
		return;
	}
	server_log("PANIC: no init found: tried rdinit=, init=, /init, /sbin/init, /etc/init, "
		   "/bin/init, /bin/sh");
	tern_power(1 << 8 | 2);
}

static void root_opened(void *arg, long result, int handle)
{
	(void)arg;
	if (result < 0 || handle < 0) {
		server_log("PANIC: no root directory (error %ld)", -result);
		tern_power(1 << 8 | 2);
		return;
	}
	pm.root = handle;
	try_next();
}

static void open_root(void)
{
	static const uint64_t args[6] = { (uint64_t)AT_FDCWD, 0, O_PATH | O_DIRECTORY, 0, 0, 0 };
	uint64_t a[6];
	long r;

	memcpy(a, args, sizeof a);
	a[1] = TERN_PTR("/");
	r = async_call(pm.vfs, 56, 0, a, root_opened, NULL);
	if (r < 0)
		root_opened(NULL, r, -1);
}

static void console_opened(void *arg, long result, int handle)
{
	(void)arg;
	if (result < 0 || handle < 0)
		server_log("cannot open /dev/console (error %ld)", -result);
	else
		pm.console = handle;
	open_root();
}

void init_start(void)
{
	uint64_t a[6] = { (uint64_t)AT_FDCWD, TERN_PTR("/dev/console"), O_RDWR, 0, 0, 0 };
	long r;

	pm.root = pm.console = -1;
	read_bootargs();
	r = async_call(pm.vfs, 56, 0, a, console_opened, NULL);
	if (r < 0)
		console_opened(NULL, r, -1);
}
