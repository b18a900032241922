/*
 * tsh: Tern's own small shell, for an image without busybox.
 *
 *	tsh [-c COMMANDS | SCRIPT]
 *
 * Lists with ; & && ||, pipelines, redirections (< > >> 2> N>&M), 'single' and "double" quotes,
 * backslash, comments, $NAME ${NAME} $? $$ and NAME=VALUE.  Built in: cd, echo, exit, export, wait,
 * pwd, true, false, cat, help, poweroff.  It uses only plain POSIX calls, so it runs on the host as
 * well and is tested there.  As pid 1 it ends by powering the machine off.
 *
 * A line is cut into tokens (expanding as it goes), then run by recursive descent straight from the
 * tokens: run_list -> run_pipeline -> run_command.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOKENS_MAX 1024
#define ARGS_MAX   256

enum kind { WORD, PIPE, AND, OR, SEMI, BACKGROUND, IN, OUT, APPEND, DUP, END };

struct token {
	enum kind kind;
	char *text;    /* of a WORD: after expansion and without its quotes */
	int fd;	       /* redirections: which descriptor */
	bool assigns;  /* of a WORD: it begins with an unquoted NAME= */
};

static struct token tokens[TOKENS_MAX];
static int ntokens;
static int last_status;
static bool interactive;

__attribute__((format(printf, 1, 2))) static int complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("tsh: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return 1;
}

static void *must(void *p)
{
	if (!p) {
		complain("out of memory");
		exit(2);
	}
	return p;
}

/* ---- a growing string ---- */

struct string {
	char *text;
	size_t len, size;
};

static void append(struct string *s, char c)
{
	if (s->len + 2 > s->size) {
		s->size = s->size ? 2 * s->size : 64;
		s->text = must(realloc(s->text, s->size));
	}
	s->text[s->len++] = c;
	s->text[s->len] = 0;
}

static void append_text(struct string *s, const char *text)
{
	while (*text)
		append(s, *text++);
}

/* ---- cutting a line into tokens ---- */

static bool name_char(char c, bool first)
{
	return c == '_' || isalpha((unsigned char)c) || (!first && isdigit((unsigned char)c));
}

/* Append the value of the variable (or $? or $$) whose name follows a `$` at p; returns where
 * the input goes on. */
static const char *expand(const char *p, struct string *out)
{
	char number[16], name[128];
	size_t n = 0;
	bool braces = *p == '{';
	const char *value;

	if (*p == '?' || *p == '$') {
		snprintf(number, sizeof number, "%d", *p == '?' ? last_status : (int)getpid());
		append_text(out, number);
		return p + 1;
	}
	p += braces;
	while (name_char(*p, n == 0) && n < sizeof name - 1)
		name[n++] = *p++;
	name[n] = 0;
	if (braces && *p == '}')
		p++;
	if (n == 0) {
		append(out, '$');
		return p;
	}
	value = getenv(name);
	append_text(out, value ? value : "");
	return p;
}

/* Read one word from p into `out`; NULL when a quote is not closed. */
static const char *read_word(const char *p, struct string *out, bool *quoted)
{
	while (*p && !strchr(" \t\n|&;<>()", *p)) {
		if (*p == '\'') {
			*quoted = true;
			for (p++; *p && *p != '\''; p++)
				append(out, *p);
			if (!*p++)
				return NULL;
		} else if (*p == '"') {
			*quoted = true;
			for (p++; *p && *p != '"';) {
				if (*p == '\\' && p[1] && strchr("\\\"$`", p[1])) {
					append(out, p[1]);
					p += 2;
				} else if (*p == '$') {
					p = expand(p + 1, out);
				} else {
					append(out, *p++);
				}
			}
			if (!*p++)
				return NULL;
		} else if (*p == '\\' && p[1]) {
			*quoted = true;
			append(out, p[1]);
			p += 2;
		} else if (*p == '$') {
			p = expand(p + 1, out);
		} else {
			append(out, *p++);
		}
	}
	return p;
}

static bool add(enum kind kind, char *text, int fd)
{
	if (ntokens == TOKENS_MAX - 1) {
		complain("line too long");
		return false;
	}
	tokens[ntokens++] = (struct token){ .kind = kind, .text = text, .fd = fd };
	return true;
}

/* An operator at p: its length, 0 if there is none. */
static int read_operator(const char *p)
{
	static const struct {
		const char *text;
		enum kind kind;
		int fd;
	} operators[] = { { "&&", AND, 0 },    { "||", OR, 0 },	   { ">>", APPEND, 1 }, { ">&", DUP, 1 },
			  { "2>>", APPEND, 2 }, { "2>&", DUP, 2 },  { "1>&", DUP, 1 },	 { "2>", OUT, 2 },
			  { "1>", OUT, 1 },	{ "0<", IN, 0 },    { "|", PIPE, 0 },	 { "&", BACKGROUND, 0 },
			  { ";", SEMI, 0 },	{ "\n", SEMI, 0 },  { "<", IN, 0 },	 { ">", OUT, 1 } };

	for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
		int n = (int)strlen(operators[i].text);

		if (strncmp(p, operators[i].text, (size_t)n) == 0)
			return add(operators[i].kind, NULL, operators[i].fd) ? n : -1;
	}
	return 0;
}

static void free_tokens(void)
{
	for (int i = 0; i < ntokens; i++)
		free(tokens[i].text);
	ntokens = 0;
}

/* Cut off one simple list's worth of tokens: up to a `;`, `&` or line end, so that `$?` and
 * variables are expanded only when what stands before them has run.  Returns where to go on,
 * NULL on an error. */
static const char *tokenize(const char *p)
{
	free_tokens();
	for (;;) {
		struct string word = { 0 };
		const char *begin;
		bool quoted = false;
		int n;

		while (*p == ' ' || *p == '\t')
			p++;
		if (*p == '#')
			while (*p && *p != '\n')
				p++;
		if (!*p)
			break;
		if (*p == '(' || *p == ')') {
			complain("no subshells here");
			return NULL;
		}
		n = read_operator(p);
		if (n < 0)
			return NULL;
		p += n;
		if (n) {
			enum kind kind = tokens[ntokens - 1].kind;

			if (kind == SEMI || kind == BACKGROUND)
				break;
			continue;
		}
		begin = p;
		p = read_word(p, &word, &quoted);
		if (!p) {
			free(word.text);
			complain("a quote is not closed");
			return NULL;
		}
		if (!word.text && !quoted)
			continue; /* an unquoted variable that is empty or unset makes no word */
		if (!word.text)
			word.text = must(strdup(""));
		if (!add(WORD, word.text, 0)) {
			free(word.text);
			return NULL;
		}
		n = 0;
		while (name_char(begin[n], n == 0))
			n++;
		tokens[ntokens - 1].assigns = n > 0 && begin[n] == '=';
	}
	tokens[ntokens] = (struct token){ .kind = END };
	return p;
}

/* ---- commands ---- */

struct command {
	char *args[ARGS_MAX + 1];
	int nargs;
	int first, end; /* its tokens */
};

static int copy_out(int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof buf)) > 0)
		for (ssize_t done = 0; done < n;) {
			ssize_t k = write(1, buf + done, (size_t)(n - done));

			if (k < 0)
				return 1;
			done += k;
		}
	return n < 0;
}

static int do_cd(char **args)
{
	const char *to = args[1] ? args[1] : getenv("HOME");

	if (!to || chdir(to))
		return complain("cd: %s: %s", to ? to : "no HOME", strerror(errno));
	return 0;
}

static int do_echo(char **args)
{
	bool newline = true;

	args++;
	if (*args && strcmp(*args, "-n") == 0) {
		newline = false;
		args++;
	}
	for (; *args; args++)
		printf("%s%s", *args, args[1] ? " " : "");
	if (newline)
		putchar('\n');
	return fflush(stdout) ? 1 : 0;
}

static int do_exit(char **args)
{
	exit(args[1] ? atoi(args[1]) : last_status);
}

static int do_export(char **args)
{
	/* All variables are kept in the environment, so only NAME=VALUE is left to do. */
	for (args++; *args; args++) {
		char *value = strchr(*args, '=');

		if (value) {
			*value = 0;
			setenv(*args, value + 1, 1);
		}
	}
	return 0;
}

static int exit_status(int st)
{
	return WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st);
}

static int do_wait(char **args)
{
	int st, status = 0;

	if (args[1]) {
		pid_t pid = (pid_t)atoi(args[1]);

		return waitpid(pid, &st, 0) == pid ? exit_status(st) : 127;
	}
	while (wait(&st) > 0)
		status = 0;
	return status;
}

static int do_pwd(char **args)
{
	char buf[4096];

	(void)args;
	if (!getcwd(buf, sizeof buf))
		return complain("pwd: %s", strerror(errno));
	puts(buf);
	return fflush(stdout) ? 1 : 0;
}

static int do_true(char **args)
{
	(void)args;
	return 0;
}

static int do_false(char **args)
{
	(void)args;
	return 1;
}

static int do_cat(char **args)
{
	int status = 0;

	if (!args[1])
		return copy_out(0);
	for (args++; *args; args++) {
		int fd = open(*args, O_RDONLY | O_CLOEXEC);

		if (fd < 0) {
			status = complain("cat: %s: %s", *args, strerror(errno));
			continue;
		}
		status |= copy_out(fd);
		close(fd);
	}
	return status;
}

static int do_help(char **args)
{
	(void)args;
	puts("built in: cat cd echo exit export false help poweroff pwd true wait");
	return fflush(stdout) ? 1 : 0;
}

static int do_poweroff(char **args)
{
	(void)args;
	reboot(RB_POWER_OFF);
	return complain("poweroff: %s", strerror(errno));
}

static const struct builtin {
	const char *name;
	int (*run)(char **args);
} builtins[] = { { "cat", do_cat },   { "cd", do_cd },	      { "echo", do_echo }, { "exit", do_exit },
		 { "false", do_false }, { "export", do_export }, { "help", do_help }, { "poweroff", do_poweroff },
		 { "pwd", do_pwd },	{ "true", do_true },	{ "wait", do_wait } };

static const struct builtin *find_builtin(const char *name)
{
	for (size_t i = 0; i < sizeof builtins / sizeof builtins[0]; i++)
		if (strcmp(builtins[i].name, name) == 0)
			return &builtins[i];
	return NULL;
}

static bool redirects(enum kind kind)
{
	return kind == IN || kind == OUT || kind == APPEND || kind == DUP;
}

/* Collect the words and redirections of the command that begins at tokens[at].  Returns the
 * index of the token behind it, -1 on an error. */
static int parse_command(int at, struct command *c)
{
	c->nargs = 0;
	c->first = at;
	while (tokens[at].kind == WORD || redirects(tokens[at].kind)) {
		if (redirects(tokens[at].kind)) {
			if (tokens[at + 1].kind != WORD) {
				complain("a redirection lacks its file");
				return -1;
			}
			at += 2;
			continue;
		}
		if (c->nargs == ARGS_MAX) {
			complain("too many words");
			return -1;
		}
		c->args[c->nargs++] = tokens[at++].text;
	}
	c->args[c->nargs] = NULL;
	c->end = at;
	return at;
}

/* Carry out a command's redirections.  Returns an exit status: 0, or 1 if one failed. */
static int redirect(const struct command *c)
{
	for (int i = c->first; i < c->end; i++) {
		const struct token *t = &tokens[i];
		const char *name;
		int fd;

		if (!redirects(t->kind))
			continue;
		name = tokens[++i].text;
		if (t->kind == DUP)
			fd = dup(atoi(name));
		else if (t->kind == IN)
			fd = open(name, O_RDONLY | O_CLOEXEC);
		else
			fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | (t->kind == APPEND ? O_APPEND : O_TRUNC),
				  0666);
		if (fd < 0)
			return complain("%s: %s", name, strerror(errno));
		if (fd != t->fd) {
			dup2(fd, t->fd);
			close(fd);
		}
	}
	return 0;
}

/* How many of the words in front have the form NAME=VALUE. */
static int assignments(const struct command *c)
{
	int n = 0;

	for (int i = c->first; i < c->end; i++) {
		if (redirects(tokens[i].kind)) {
			i++;
			continue;
		}
		if (!tokens[i].assigns)
			break;
		n++;
	}
	return n;
}

static void assign(const struct command *c, int n)
{
	for (int i = 0; i < n; i++) {
		char *value = strchr(c->args[i], '=');

		*value = 0;
		setenv(c->args[i], value + 1, 1);
		*value = '=';
	}
}

/* Turn this process, a child of the shell, into the command; does not return. */
__attribute__((noreturn)) static void become(struct command *c)
{
	int n = assignments(c);
	const struct builtin *b;
	char **args = c->args + n;

	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	interactive = false;
	if (redirect(c))
		_exit(1);
	assign(c, n);
	if (!args[0])
		_exit(0);
	b = find_builtin(args[0]);
	if (b)
		exit(b->run(args));
	execvp(args[0], args);
	complain("%s: %s", args[0], errno == ENOENT ? "not found" : strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* A builtin that is no part of a pipeline runs in the shell itself, with its descriptors put
 * back. */
static int run_builtin(const struct builtin *b, struct command *c, char **args)
{
	int saved[3], status;

	for (int i = 0; i < 3; i++)
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
	status = redirect(c);
	if (!status)
		status = b->run(args);
	fflush(stdout);
	clearerr(stdout);
	for (int i = 0; i < 3; i++)
		if (saved[i] >= 0) {
			dup2(saved[i], i);
			close(saved[i]);
		}
	return status;
}

/* Run the pipeline that begins at tokens[at] and set last_status to its status.  Returns the
 * index of the token behind it, -1 on an error. */
static int run_pipeline(int at)
{
	struct command c;
	int in = -1, fds[2], begin = at, end = at, st;
	bool background;
	pid_t pid = -1, waited;

	while (tokens[end].kind == WORD || tokens[end].kind == PIPE || redirects(tokens[end].kind))
		end++;
	background = tokens[end].kind == BACKGROUND;
	at = parse_command(at, &c);
	if (at < 0 || c.first == c.end) {
		if (at >= 0)
			complain("a command is missing");
		return -1;
	}
	if (tokens[at].kind != PIPE && !background) {
		int n = assignments(&c);
		const struct builtin *b = c.args[n] ? find_builtin(c.args[n]) : NULL;

		if (!c.args[n] || b) {
			assign(&c, n);
			last_status = b ? run_builtin(b, &c, c.args + n) : 0;
			return at;
		}
	}
	for (at = begin;; at++) {
		bool more;

		at = parse_command(at, &c);
		if (at < 0 || c.first == c.end) {
			if (at >= 0)
				complain("a command is missing");
			if (in >= 0)
				close(in);
			return -1;
		}
		more = tokens[at].kind == PIPE;
		if (more && pipe2(fds, O_CLOEXEC)) {
			complain("pipe: %s", strerror(errno));
			return -1;
		}
		fflush(NULL);
		pid = fork();
		if (pid < 0) {
			complain("fork: %s", strerror(errno));
			last_status = 254;
		}
		if (pid == 0) {
			if (background && in < 0 && (in = open("/dev/null", O_RDONLY)) < 0)
				_exit(1);
			if (in >= 0)
				dup2(in, 0);
			if (more)
				dup2(fds[1], 1);
			become(&c);
		}
		if (in >= 0)
			close(in);
		in = -1;
		if (!more)
			break;
		close(fds[1]);
		in = fds[0];
	}
	if (background) {
		if (interactive)
			fprintf(stderr, "[%d]\n", (int)pid);
		last_status = 0;
		return at;
	}
	/* Only the last process gives the status; the others are reaped before the next prompt,
	 * or by the builtin wait. */
	while (pid > 0 && ((waited = waitpid(pid, &st, 0)) == pid || (waited < 0 && errno == EINTR)))
		if (waited == pid) {
			last_status = exit_status(st);
			break;
		}
	return at;
}

/* Run the tokens of one list: pipelines joined by && and ||.  False on an error of syntax. */
static bool run_list(void)
{
	int at = 0;

	if (ntokens == 0 || tokens[0].kind == SEMI)
		return true;
	for (;;) {
		enum kind kind;

		at = run_pipeline(at);
		if (at < 0)
			return false;
		kind = tokens[at].kind;
		while ((kind == AND && last_status != 0) || (kind == OR && last_status == 0)) {
			/* Go past the next pipeline, which the status excludes. */
			do
				at++;
			while (tokens[at].kind == WORD || tokens[at].kind == PIPE ||
			       redirects(tokens[at].kind));
			kind = tokens[at].kind;
		}
		if (kind != AND && kind != OR)
			return true;
		at++;
	}
}

static void run_text(const char *text)
{
	while (*text) {
		text = tokenize(text);
		if (!text || !run_list()) {
			last_status = 2;
			return;
		}
	}
}

static void run_stream(FILE *f)
{
	char *line = NULL;
	size_t size = 0;

	for (;;) {
		if (interactive) {
			fprintf(stderr, "tern:tsh# ");
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
		}
		errno = 0;
		if (getline(&line, &size, f) < 0) {
			if (errno == EINTR) {
				clearerr(f);
				continue;
			}
			break;
		}
		run_text(line);
	}
	free(line);
}

int main(int argc, char **argv)
{
	if (getpid() == 1) {
		setenv("PATH", "/bin:/sbin:/usr/bin:/usr/sbin", 0);
		setenv("HOME", "/root", 0);
	}
	if (argc >= 3 && strcmp(argv[1], "-c") == 0) {
		run_text(argv[2]);
	} else if (argc >= 2) {
		FILE *f = fopen(argv[1], "re");

		if (!f) {
			complain("%s: %s", argv[1], strerror(errno));
			return 127;
		}
		run_stream(f);
	} else {
		interactive = isatty(0);
		if (interactive) {
			signal(SIGINT, SIG_IGN);
			signal(SIGQUIT, SIG_IGN);
		}
		run_stream(stdin);
	}
	free_tokens();
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
	return last_status;
}
