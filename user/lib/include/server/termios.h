/* The terminal's ioctl numbers, and struct termios as Linux's kernel has it, which is shorter than
 * the C library's: 36 bytes with 19 control characters. */
#pragma once
#include <asm-generic/ioctls.h>
#include <asm-generic/termbits.h>
#include <stdint.h>

struct tern_termios {
	uint32_t c_iflag, c_oflag, c_cflag, c_lflag;
	uint8_t c_line;
	uint8_t c_cc[19];
};
_Static_assert(sizeof(struct tern_termios) == 36, "struct termios");

struct tern_winsize {
	uint16_t ws_row, ws_col, ws_xpixel, ws_ypixel;
};
