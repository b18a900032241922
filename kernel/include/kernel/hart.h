/* One hart: what it runs, its stack, its run queue and timers.  tp points at it in the kernel. */
#pragma once

#include <arch/cpu.h>
#include <kernel/lib/list.h>
#include <kernel/runq.h>
#include <kernel/lib/types.h>
#include <tern/abi.h>

struct thread;

struct hart {
	u32 index;  /* as struct hart_head (arch/cpu.h) */
	u32 online; /* atomic */
	struct hart_space *space; /* the memory's part */
	u64 hartid;
	u64 kernel_sp;		/* top of this hart's kernel stack */
	struct thread *current; /* whose registers are in the machine; written by entry.S */
	struct thread *idle;	/* chosen when nothing is ready */
	u64 last_switch;	/* ticks: when the scheduler chose */
	u64 charged_at;		/* ticks: up to then time has been charged */
	u64 *charge;		/* whose time it is: a counter of a thread's, or uncharged */
	u64 uncharged;
	u32 ipi_wanted; /* mask: sent when the kernel lock is dropped; kernel lock */
	u64 timer_armed;	/* ticks, ~0: not */
	/* below: kernel lock */
	u64 slice_end;		  /* ticks, ~0: no limit now */
	bool over;		  /* the slice has ended, and its thread has not given way yet */
	struct thread *payer;	  /* whose slice it is */
	u64 served; /* ticks that servers were chosen here more than others lately were */
	struct timer *timers;	  /* the first to expire, of a heap */
	struct tern_cpu_info stat;
	u64 irq_counts[TERN_NIRQ];
	struct runq runq; /* last, because it is large */
};

extern struct hart harts[MAX_HARTS];
extern unsigned nharts; /* online or coming */
