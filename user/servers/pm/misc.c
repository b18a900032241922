/* reboot(2) and syslog(2). */
#include "pm.h"

#define REBOOT_MAGIC1 0xfee1deadu
#define CMD_RESTART 0x01234567u
#define CMD_HALT 0xcdef0123u
#define CMD_CAD_ON 0x89abcdefu
#define CMD_CAD_OFF 0u
#define CMD_POWER_OFF 0x4321fedcu
#define CMD_RESTART2 0xa1b2c3d4u

long pm_reboot(struct tern_msg *m)
{
	uint32_t magic2 = (uint32_t)m->args[1];
	struct tern_cred c;

	if (!caller_cred(m, &c))
		return -ESRCH;
	if (!cred_capable(&c, CAP_SYS_BOOT))
		return -EPERM;
	if ((uint32_t)m->args[0] != REBOOT_MAGIC1 ||
	    (magic2 != 672274793 && magic2 != 85072278 && magic2 != 369367448 && magic2 != 537993216))
		return -EINVAL;
	switch ((uint32_t)m->args[2]) {
	case CMD_CAD_ON:
	case CMD_CAD_OFF:
		pm.cad_enabled = (uint32_t)m->args[2] == CMD_CAD_ON;
		return 0;
	case CMD_RESTART2: {
		char command[256];
		long r = tern_copy_str(m->token, 0, command, sizeof command);

		if (r == -EFAULT)
			return r;
	}
		/* fall through */
	case CMD_RESTART:
		server_log("reboot: restarting system");
		return tern_power(1);
	case CMD_HALT:
	case CMD_POWER_OFF:
		server_log("reboot: power down");
		return tern_power(0);
	}
	return -EINVAL;
}

#define LOG_BYTES 65536

static uint64_t cleared; /* the log's position at the last "clear": reads begin here */

/* Copies at most n bytes of the log, from position `at` on, to the caller; returns how many. */
static long copy_log(struct tern_msg *m, uint64_t at, uint64_t n)
{
	static char buf[4096];
	uint64_t done = 0;

	while (done < n) {
		uint64_t k = n - done < sizeof buf ? n - done : sizeof buf;
		long r = tern_log_read(at + done, buf, k);

		if (r <= 0)
			break;
		if (tern_copy_out(m->token, 0, done, buf, (size_t)r) != r)
			return done ? (long)done : -EFAULT;
		done += (uint64_t)r;
	}
	return (long)done;
}

static uint64_t log_end(void)
{
	static char buf[4096];
	uint64_t at = cleared;
	long r;

	while ((r = tern_log_read(at, buf, sizeof buf)) > 0)
		at += (uint64_t)r;
	return at;
}

long pm_syslog(struct tern_msg *m)
{
	int32_t type = (int32_t)m->args[0], len = (int32_t)m->args[2];
	struct tern_cred c;
	uint64_t end, from;
	long r;

	if (!caller_cred(m, &c))
		return -ESRCH;
	if (type != 3 && type != 10 && !cred_capable(&c, CAP_SYSLOG))
		return -EPERM;
	switch (type) {
	case 0: /* close */
	case 1: /* open */
	case 6: /* console off */
	case 7: /* console on */
		return 0;
	case 2: /* read */
	case 3: /* read all */
	case 4: /* read and clear */
		if (m->args[1] == 0 || len < 0)
			return -EINVAL;
		end = log_end();
		from = end - cleared > (uint64_t)len ? end - (uint64_t)len : cleared;
		r = copy_log(m, from, (uint64_t)len);
		if (r >= 0 && type != 3)
			cleared = end;
		return r;
	case 5: /* clear */
		cleared = log_end();
		return 0;
	case 8: /* console level */
		return len < 1 || len > 8 ? -EINVAL : 0;
	case 9: /* size unread */
		return (long)(log_end() - cleared);
	case 10: /* size of the buffer */
		return LOG_BYTES;
	}
	return -EINVAL;
}
