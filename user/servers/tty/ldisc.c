/* The line discipline.
 *
 * Input lies in one ring: [tail, canon) are whole lines (their ends marked), [canon, head) is the
 * line being edited; in raw mode only tail and head count.  Echo goes into the output ring at the
 * moment the character is taken, so echo and output keep their order.  Programs may not fill the
 * last LDISC_ECHO_RESERVE bytes of that ring.  If even those are full the echo is dropped, but the
 * input character is kept.
 */
#include "ldisc.h"

#include <string.h>

#define DISABLED 0 /* _POSIX_VDISABLE: a c_cc entry with this value is switched off */
#define LINE_MAX_CHARS (LDISC_IN - 1) /* one place of the ring is left for the line's end */
#define IN(l, i) ((l)->in[(i) & (LDISC_IN - 1)])
#define MARK(l, i) ((l)->mark[(i) & (LDISC_IN - 1)])

static bool iflag(const struct ldisc *l, uint32_t f)
{
	return l->t.c_iflag & f;
}

static bool oflag(const struct ldisc *l, uint32_t f)
{
	return l->t.c_oflag & f;
}

static bool lflag(const struct ldisc *l, uint32_t f)
{
	return l->t.c_lflag & f;
}

static bool is_cc(const struct ldisc *l, unsigned which, uint8_t c)
{
	return c != DISABLED && l->t.c_cc[which] == c;
}

static bool is_cntrl(uint8_t c)
{
	return c < 32 || c == 127;
}

static bool is_continuation(const struct ldisc *l, uint8_t c)
{
	return iflag(l, IUTF8) && (c & 0xc0) == 0x80;
}

static bool is_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '_';
}

void ldisc_init(struct ldisc *l)
{
	static const struct tern_termios standard = {
		.c_iflag = ICRNL | IXON,
		.c_oflag = OPOST | ONLCR,
		.c_cflag = B38400 | CS8 | CREAD | HUPCL,
		.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
		.c_cc = { [VINTR] = 3, [VQUIT] = 28, [VERASE] = 127, [VKILL] = 21, [VEOF] = 4,
			  [VMIN] = 1, [VSTART] = 17, [VSTOP] = 19, [VSUSP] = 26, [VREPRINT] = 18,
			  [VDISCARD] = 15, [VWERASE] = 23, [VLNEXT] = 22 },
	};

	memset(l, 0, sizeof *l);
	l->t = standard;
}

/* ---- output ---- */

static uint32_t out_free(const struct ldisc *l)
{
	return LDISC_OUT - (l->out_head - l->out_tail);
}

static void put(struct ldisc *l, uint8_t c)
{
	if (out_free(l))
		l->out[l->out_head++ & (LDISC_OUT - 1)] = c;
}

/* Puts one character into the output ring, processed as c_oflag says; it becomes at most 8 bytes (a
 * tab as spaces). */
static void post(struct ldisc *l, uint8_t c)
{
	uint32_t spaces;

	if (!oflag(l, OPOST)) {
		put(l, c);
		return;
	}
	switch (c) {
	case '\n':
		if (oflag(l, ONLRET))
			l->column = 0;
		if (oflag(l, ONLCR)) {
			l->column = 0;
			put(l, '\r');
		}
		l->canon_column = l->column;
		break;
	case '\r':
		if (oflag(l, ONOCR) && l->column == 0)
			return;
		if (oflag(l, OCRNL)) {
			c = '\n';
			if (oflag(l, ONLRET))
				l->canon_column = l->column = 0;
			break;
		}
		l->canon_column = l->column = 0;
		break;
	case '\t':
		spaces = 8 - (l->column & 7);
		l->column += spaces;
		if ((l->t.c_oflag & TABDLY) == XTABS) {
			while (spaces--)
				put(l, ' ');
			return;
		}
		break;
	case '\b':
		if (l->column)
			l->column--;
		break;
	default:
		if (is_cntrl(c))
			break;
		if (oflag(l, OLCUC) && c >= 'a' && c <= 'z')
			c = (uint8_t)(c - 32);
		if (!is_continuation(l, c))
			l->column++;
		break;
	}
	put(l, c);
}

uint32_t ldisc_output_room(const struct ldisc *l)
{
	uint32_t f = out_free(l);

	return f > LDISC_ECHO_RESERVE ? f - LDISC_ECHO_RESERVE : 0;
}

uint32_t ldisc_output(struct ldisc *l, const uint8_t *from, uint32_t n)
{
	uint32_t room = ldisc_output_room(l), i;

	if (!oflag(l, OPOST)) {
		if (n > room)
			n = room;
		for (i = 0; i < n; i++)
			l->out[l->out_head++ & (LDISC_OUT - 1)] = from[i];
		return n;
	}
	for (i = 0; i < n && ldisc_output_room(l) >= 8; i++) {
		uint8_t c = from[i];

		if (c > 31 && c < 127 && !oflag(l, OLCUC)) { /* printable: needs no post() */
			l->column++;
			l->out[l->out_head++ & (LDISC_OUT - 1)] = c;
		} else {
			post(l, c);
		}
	}
	return i;
}

int ldisc_transmit(struct ldisc *l)
{
	if (l->xchar) {
		uint8_t c = l->xchar;

		l->xchar = 0;
		return c;
	}
	if (l->stopped || l->out_head == l->out_tail)
		return -1;
	return l->out[l->out_tail++ & (LDISC_OUT - 1)];
}

uint32_t ldisc_peek_output(const struct ldisc *l, uint8_t *to, uint32_t n)
{
	uint32_t got = 0;

	if (l->xchar && n)
		to[got++] = l->xchar;
	if (!l->stopped)
		for (uint32_t at = l->out_tail; at != l->out_head && got < n; at++)
			to[got++] = l->out[at & (LDISC_OUT - 1)];
	return got;
}

void ldisc_sent(struct ldisc *l, uint32_t n)
{
	if (n && l->xchar) {
		l->xchar = 0;
		n--;
	}
	l->out_tail += n;
}

void ldisc_flush_output(struct ldisc *l)
{
	l->out_tail = l->out_head;
}

void ldisc_stop(struct ldisc *l)
{
	l->stopped = true;
}

void ldisc_start(struct ldisc *l)
{
	l->stopped = false;
}

/* ---- echo ---- */

static void echo_char(struct ldisc *l, uint8_t c)
{
	if (lflag(l, ECHOCTL) && is_cntrl(c) && c != '\t') {
		put(l, '^');
		put(l, c ^ 0100);
		l->column += 2;
	} else {
		post(l, c);
	}
}

static void echo_raw(struct ldisc *l, const char *s)
{
	while (*s)
		post(l, (uint8_t)*s++);
}

/* Moves the cursor back over an erased tab, which stood at position `at`: the width of what stands
 * before it, up to the tab before or the line's beginning, says how many columns the tab took. */
static void echo_erase_tab(struct ldisc *l, uint32_t at)
{
	uint32_t columns = 0, back;
	bool after_tab = false;

	while (at != l->canon) {
		uint8_t c = IN(l, --at);

		if (c == '\t') {
			after_tab = true;
			break;
		}
		if (is_cntrl(c))
			columns += lflag(l, ECHOCTL) ? 2 : 0;
		else if (!is_continuation(l, c))
			columns++;
	}
	if (!after_tab)
		columns += l->canon_column;
	for (back = 8 - (columns & 7); back; back--) {
		put(l, '\b');
		if (l->column)
			l->column--;
	}
}

/* ---- input ---- */

static uint32_t in_used(const struct ldisc *l)
{
	return l->head - l->tail;
}

/* Tells whether the input ring is full: a further character is dropped, except for a line's end. */
static bool in_full(const struct ldisc *l)
{
	return in_used(l) >= LINE_MAX_CHARS;
}

bool ldisc_input_room(const struct ldisc *l)
{
	/* If one unfinished line fills the ring, nobody can read and make room until the line's
	 * end has come.  So its further characters are taken, and dropped, up to that end. */
	return !in_full(l) || (lflag(l, ICANON) && l->canon == l->tail);
}

static void flow_control(struct ldisc *l)
{
	if (!iflag(l, IXOFF))
		return;
	if (!l->throttled && in_used(l) > LDISC_IN * 3 / 4) {
		l->throttled = true;
		l->xchar = l->t.c_cc[VSTOP];
	} else if (l->throttled && in_used(l) < LDISC_IN / 4) {
		l->throttled = false;
		l->xchar = l->t.c_cc[VSTART];
	}
}

static void append(struct ldisc *l, uint8_t c, enum ldisc_mark mark)
{
	IN(l, l->head) = c;
	MARK(l, l->head) = (uint8_t)mark;
	l->head++;
	flow_control(l);
}

static void line_end(struct ldisc *l, uint8_t c, enum ldisc_mark mark)
{
	if (in_used(l) >= LDISC_IN)
		return;
	append(l, c, mark);
	l->canon = l->head;
}

void ldisc_flush_input(struct ldisc *l)
{
	l->tail = l->canon = l->head;
	l->lnext = false;
	flow_control(l);
}

static void erase(struct ldisc *l, uint8_t c)
{
	bool word = is_cc(l, VWERASE, c) && lflag(l, IEXTEN);
	bool all = !word && is_cc(l, VKILL, c);
	bool seen_word = false;

	if (l->head == l->canon)
		return;
	if (all && (!lflag(l, ECHO) || !lflag(l, ECHOK) || !lflag(l, ECHOKE) || !lflag(l, ECHOE))) {
		l->head = l->canon;
		if (lflag(l, ECHO)) {
			echo_char(l, c);
			if (lflag(l, ECHOK))
				post(l, '\n');
		}
		return;
	}
	while (l->head != l->canon) {
		uint32_t at = l->head;
		uint8_t e;

		do
			e = IN(l, --at);
		while (is_continuation(l, e) && at != l->canon);
		if (is_continuation(l, e))
			return; /* the line begins in the middle of a UTF-8 character: it stays */
		if (word) {
			if (is_word(e))
				seen_word = true;
			else if (seen_word)
				return;
		}
		l->head = at;
		if (lflag(l, ECHO)) {
			if (!word && !all && !lflag(l, ECHOE)) {
				echo_char(l, c);
			} else if (e == '\t') {
				echo_erase_tab(l, at);
			} else {
				if (is_cntrl(e) && lflag(l, ECHOCTL))
					echo_raw(l, "\b \b");
				if (!is_cntrl(e) || lflag(l, ECHOCTL))
					echo_raw(l, "\b \b");
			}
		}
		if (!word && !all)
			return;
	}
}

static void reprint(struct ldisc *l, uint8_t c)
{
	echo_char(l, c);
	post(l, '\n');
	for (uint32_t i = l->canon; i != l->head; i++)
		echo_char(l, IN(l, i));
}

static void signal_char(struct ldisc *l, uint8_t c, uint32_t sig)
{
	if (!lflag(l, NOFLSH)) {
		ldisc_flush_output(l);
		ldisc_flush_input(l);
	}
	if (iflag(l, IXON))
		ldisc_start(l);
	if (lflag(l, ECHO))
		echo_char(l, c);
	l->signals |= sig;
}

/* Takes a character without special meaning: echoes it and appends it to the input. */
static void ordinary(struct ldisc *l, uint8_t c)
{
	uint32_t copies = iflag(l, PARMRK) && c == 0xff ? 2 : 1;

	if (in_used(l) + copies > LINE_MAX_CHARS) {
		if (iflag(l, IMAXBEL))
			put(l, '\a');
		return;
	}
	if (lflag(l, ECHO)) {
		if (l->head == l->canon)
			l->canon_column = l->column;
		if (c == '\n')
			post(l, c);
		else
			echo_char(l, c);
	}
	while (copies--)
		append(l, c, LDISC_NONE);
}

/* Handles a character that has a meaning in canonical mode (editing, ends of lines); false: this
 * one has none. */
static bool canonical(struct ldisc *l, uint8_t c)
{
	bool extended = lflag(l, IEXTEN);

	if (is_cc(l, VERASE, c) || is_cc(l, VKILL, c) || (is_cc(l, VWERASE, c) && extended)) {
		erase(l, c);
		return true;
	}
	if (is_cc(l, VLNEXT, c) && extended) {
		l->lnext = true;
		if (lflag(l, ECHO) && lflag(l, ECHOCTL)) {
			put(l, '^');
			put(l, '\b');
		}
		return true;
	}
	if (is_cc(l, VREPRINT, c) && lflag(l, ECHO) && extended) {
		reprint(l, c);
		return true;
	}
	if (c == '\n') {
		if (lflag(l, ECHO) || lflag(l, ECHONL))
			post(l, '\n');
		line_end(l, c, LDISC_EOL);
		return true;
	}
	if (is_cc(l, VEOF, c)) {
		line_end(l, c, LDISC_EOF);
		return true;
	}
	if (is_cc(l, VEOL, c) || (is_cc(l, VEOL2, c) && extended)) {
		if (lflag(l, ECHO)) {
			if (l->head == l->canon)
				l->canon_column = l->column;
			echo_char(l, c);
		}
		line_end(l, c, LDISC_EOL);
		return true;
	}
	return false;
}

void ldisc_input(struct ldisc *l, uint8_t c)
{
	if (iflag(l, ISTRIP))
		c &= 0x7f;
	if (iflag(l, IUCLC) && lflag(l, IEXTEN) && c >= 'A' && c <= 'Z')
		c = (uint8_t)(c + 32);
	if (l->lnext) {
		l->lnext = false;
		ordinary(l, c);
		return;
	}
	if (iflag(l, IXON)) {
		if (is_cc(l, VSTART, c)) {
			ldisc_start(l);
			return;
		}
		if (is_cc(l, VSTOP, c)) {
			ldisc_stop(l);
			return;
		}
		if (l->stopped && iflag(l, IXANY))
			ldisc_start(l);
	}
	if (lflag(l, ISIG)) {
		uint32_t sig = is_cc(l, VINTR, c)   ? LDISC_SIGINT :
			       is_cc(l, VQUIT, c) ? LDISC_SIGQUIT :
			       is_cc(l, VSUSP, c) ? LDISC_SIGTSTP :
						      0;
		if (sig) {
			signal_char(l, c, sig);
			return;
		}
	}
	if (c == '\r') {
		if (iflag(l, IGNCR))
			return;
		if (iflag(l, ICRNL))
			c = '\n';
	} else if (c == '\n' && iflag(l, INLCR)) {
		c = '\r';
	}
	if (lflag(l, ICANON) && canonical(l, c))
		return;
	ordinary(l, c);
}

void ldisc_break(struct ldisc *l)
{
	if (iflag(l, IGNBRK))
		return;
	if (iflag(l, BRKINT)) {
		if (!lflag(l, NOFLSH)) {
			ldisc_flush_output(l);
			ldisc_flush_input(l);
		}
		l->signals |= LDISC_SIGINT;
		return;
	}
	if (in_used(l) + 3 > LINE_MAX_CHARS)
		return;
	if (iflag(l, PARMRK)) {
		append(l, 0xff, LDISC_NONE);
		append(l, 0, LDISC_NONE);
	}
	append(l, 0, LDISC_NONE);
}

/* ---- reading ---- */

bool ldisc_readable(const struct ldisc *l, uint32_t least)
{
	if (lflag(l, ICANON))
		return l->canon != l->tail;
	return in_used(l) >= (least ? least : 1);
}

uint32_t ldisc_count(const struct ldisc *l)
{
	uint32_t n = 0;

	if (!lflag(l, ICANON))
		return in_used(l);
	for (uint32_t i = l->tail; i != l->canon; i++)
		n += MARK(l, i) != LDISC_EOF;
	return n;
}

uint32_t ldisc_peek(const struct ldisc *l, uint8_t *to, uint32_t n, uint32_t *used)
{
	uint32_t end = lflag(l, ICANON) ? l->canon : l->head;
	uint32_t i = l->tail, got = 0;

	while (i != end) {
		/* Also when the buffer has just become full: else the end-of-file character would
		 * be left, and the next read would return 0. */
		if (lflag(l, ICANON) && MARK(l, i) == LDISC_EOF) {
			i++;
			break;
		}
		if (got == n)
			break;
		to[got++] = IN(l, i);
		if (lflag(l, ICANON) && MARK(l, i++) == LDISC_EOL)
			break;
		if (!lflag(l, ICANON))
			i++;
	}
	*used = i - l->tail;
	return got;
}

void ldisc_consume(struct ldisc *l, uint32_t used)
{
	l->tail += used;
	if ((int32_t)(l->canon - l->tail) < 0)
		l->canon = l->tail;
	flow_control(l);
}

/* ---- settings ---- */

void ldisc_set_termios(struct ldisc *l, const struct tern_termios *t)
{
	bool changed = (l->t.c_lflag ^ t->c_lflag) & ICANON;
	bool had_ixon = iflag(l, IXON);

	l->t = *t;
	if (changed) {
		/* Canonical mode was switched on or off: the input that is there becomes one whole
		 * line, or raw input without marks. */
		for (uint32_t i = l->tail; i != l->head; i++)
			MARK(l, i) = LDISC_NONE;
		l->canon = l->tail;
		if (lflag(l, ICANON) && l->head != l->tail) {
			MARK(l, l->head - 1) = LDISC_EOL;
			l->canon = l->head;
		}
		l->lnext = false;
	}
	/* Without IXON no character starts stopped output again, so it starts now. */
	if (had_ixon && !iflag(l, IXON))
		ldisc_start(l);
	flow_control(l);
}
