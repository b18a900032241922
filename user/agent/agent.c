/*
 * tern-agent: runs one command for tools/run on the host and reports over the console.
 *
 * It is started as pid 1 (rdinit=/sbin/tern-agent), on Tern and on Linux alike.  The command stands
 * in /run/tern/command and is run by /bin/sh -c with standard input from /dev/null.  What it prints
 * goes to the host in frames, so that the host can tell the command's two outputs from each other
 * and from whatever else appears on the console, and notices every lost byte:
 *
 *	magic[4]  type  0  length (u16)  sequence (u32)  payload  CRC-32 of type..payload
 *
 * all little-endian.  Types: H hello, O standard output, E standard error, X exit status (u32),
 * F could not run (text).  Sequence numbers count from 0.  The command has ended when its shell has;
 * what the pipes then hold is still sent, but a background process that keeps them open is not
 * waited for.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define PAYLOAD_MAX 4096
#define HEADER	    12
#define COMMAND	    "/run/tern/command"

static const uint8_t magic[4] = { 0x02, 'T', 'r', 'n' };
static uint32_t sequence;
static int child_ended[2]; /* a pipe that SIGCHLD's handler writes to */

static uint32_t crc32(const uint8_t *p, size_t n)
{
	static uint32_t table[256];
	uint32_t crc = ~0u;

	if (!table[1])
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t c = i;

			for (int k = 0; k < 8; k++)
				c = (c >> 1) ^ (c & 1 ? 0xedb88320u : 0);
			table[i] = c;
		}
	while (n--)
		crc = (crc >> 8) ^ table[(crc ^ *p++) & 0xff];
	return ~crc;
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static void send_frame(char type, const void *payload, size_t n)
{
	static uint8_t frame[HEADER + PAYLOAD_MAX + 4];
	size_t len = HEADER + n + 4, done = 0;

	memcpy(frame, magic, 4);
	frame[4] = (uint8_t)type;
	frame[5] = 0;
	frame[6] = (uint8_t)n;
	frame[7] = (uint8_t)(n >> 8);
	put32(frame + 8, sequence++);
	memcpy(frame + HEADER, payload, n);
	put32(frame + HEADER + n, crc32(frame + 4, HEADER - 4 + n));
	while (done < len) {
		ssize_t k = write(1, frame + done, len - done);

		if (k > 0)
			done += (size_t)k;
		else if (k < 0 && errno != EINTR && errno != EAGAIN)
			return; /* the host will miss the frame */
	}
}

__attribute__((noreturn)) static void power_off(void)
{
	if (getpid() != 1)
		exit(0);
	tcdrain(1);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

__attribute__((noreturn)) static void fail(const char *what)
{
	char text[200];
	int n = snprintf(text, sizeof text, "%s: %s", what, strerror(errno));

	send_frame('F', text, (size_t)n);
	power_off();
}

/* Linux starts its first program on bare folders; on Tern these are there already. */
static void mount_missing(void)
{
	if (access("/proc/self", F_OK) != 0)
		mount("proc", "/proc", "proc", 0, NULL);
	if (access("/dev/zero", F_OK) != 0) {
		mount("dev", "/dev", "devtmpfs", 0, NULL);
		mkdir("/dev/shm", 01777);
		mount("shm", "/dev/shm", "tmpfs", 0, NULL);
		mkdir("/dev/mqueue", 01777);
		mount("mqueue", "/dev/mqueue", "mqueue", 0, NULL);
		mkdir("/dev/pts", 0755);
		mount("pts", "/dev/pts", "devpts", 0, NULL);
		symlink("/proc/self/fd", "/dev/fd");
		symlink("/proc/self/fd/0", "/dev/stdin");
		symlink("/proc/self/fd/1", "/dev/stdout");
		symlink("/proc/self/fd/2", "/dev/stderr");
	}
	if (access("/sys/kernel", F_OK) != 0)
		mount("sys", "/sys", "sysfs", 0, NULL);
}

static char *read_command(void)
{
	size_t size = 4096, len = 0;
	char *text = malloc(size);
	int fd = open(COMMAND, O_RDONLY | O_CLOEXEC);
	ssize_t k;

	if (fd < 0 || !text)
		fail(COMMAND);
	while ((k = read(fd, text + len, size - len - 1)) > 0) {
		len += (size_t)k;
		if (size - len < 2) {
			text = realloc(text, size *= 2);
			if (!text)
				fail(COMMAND);
		}
	}
	if (k < 0)
		fail(COMMAND);
	close(fd);
	text[len] = 0;
	return text;
}

static void on_child(int sig)
{
	int saved = errno;

	(void)sig;
	(void)!write(child_ended[1], "", 1);
	errno = saved;
}

static pid_t start(char *command, const int out[2], const int err[2])
{
	static char *const environment[] = { "PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/root",
					     "TERM=vt100", "USER=root", "SHELL=/bin/sh", NULL };
	char *const args[] = { "sh", "-c", command, NULL };
	pid_t pid = fork();
	int null;

	if (pid)
		return pid;
	setsid();
	null = open("/dev/null", O_RDONLY);
	if (null < 0)
		_exit(127);
	dup2(null, 0);
	dup2(out[1], 1);
	dup2(err[1], 2);
	close(null);
	execve("/bin/sh", args, environment);
	dprintf(2, "tern-agent: /bin/sh: %s\n", strerror(errno));
	_exit(127);
}

/* Send on what a pipe holds now; false at its end. */
static int pass_on(int fd, char type)
{
	static char buf[PAYLOAD_MAX];
	ssize_t k = read(fd, buf, sizeof buf);

	if (k > 0)
		send_frame(type, buf, (size_t)k);
	return k > 0 || (k < 0 && (errno == EINTR || errno == EAGAIN));
}

/* Reap what has ended; the exit status of `pid` as a shell would give it, or -1 while it runs. */
static int reap(pid_t pid)
{
	static int result = -1;
	char c;
	int st;
	pid_t got;

	while (read(child_ended[0], &c, 1) == 1)
		;
	while ((got = waitpid(-1, &st, WNOHANG)) > 0)
		if (got == pid)
			result = WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st);
	return result;
}

static int serve(pid_t pid, int out, int err)
{
	struct pollfd fds[3] = { { .fd = out, .events = POLLIN },
				 { .fd = err, .events = POLLIN },
				 { .fd = child_ended[0], .events = POLLIN } };
	const char types[2] = { 'O', 'E' };
	int status = -1;

	for (;;) {
		int n = poll(fds, 3, status < 0 ? -1 : 0);
		int moved = 0;

		if (n < 0) {
			if (errno == EINTR)
				continue;
			fail("poll");
		}
		for (int i = 0; i < 2; i++)
			if (fds[i].fd >= 0 && fds[i].revents) {
				moved = 1;
				if (!pass_on(fds[i].fd, types[i]))
					fds[i].fd = -1;
			}
		/* The pipes are looked at once more after the end was seen: what it wrote is there. */
		if (status >= 0 && !moved)
			return status;
		if (status < 0)
			status = reap(pid);
	}
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_child, .sa_flags = SA_RESTART | SA_NOCLDSTOP };
	struct termios raw;
	int out[2], err[2];
	uint8_t result[4];
	char *command;
	pid_t pid;

	if (getpid() == 1)
		mount_missing();
	if (tcgetattr(1, &raw) == 0) {
		cfmakeraw(&raw);
		tcsetattr(1, TCSANOW, &raw);
	}
	send_frame('H', "1", 1);
	command = read_command();
	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) || pipe2(child_ended, O_CLOEXEC | O_NONBLOCK))
		fail("pipe2");
	if (sigaction(SIGCHLD, &sa, NULL))
		fail("sigaction");
	pid = start(command, out, err);
	if (pid < 0)
		fail("fork");
	close(out[1]);
	close(err[1]);
	put32(result, (uint32_t)serve(pid, out[0], err[0]));
	send_frame('X', result, sizeof result);
	power_off();
}
