/*
 * References to objects as handles hold them, by type.  Kernel lock.
 */
#include <ipc/note.h>
#include <ipc/poll.h>
#include <ipc/session.h>
#include <kernel/handle.h>
#include <kernel/log.h>
#include <kernel/process.h>
#include <mm/aspace.h>
#include <mm/memobj.h>

void handle_ref(enum handle_type type, void *object)
{
	switch (type) {
	case HANDLE_SESSION:
		session_get(object);
		break;
	case HANDLE_MEMOBJ:
		memobj_get(object);
		break;
	case HANDLE_ASPACE:
		aspace_get(object);
		break;
	case HANDLE_PROCESS:
		process_get(object);
		break;
	case HANDLE_ENDPOINT:
		endpoint_get(object);
		break;
	case HANDLE_NOTE:
		note_get(object);
		break;
	case HANDLE_IRQ:
		irq_get(object);
		break;
	case HANDLE_WAITSET:
		waitset_get(object);
		break;
	case HANDLE_SIGNALFD:
		signalfd_get(object);
		break;
	case HANDLE_FREE:
	case HANDLE_RESERVED:
		panic("reference to handle type %u", type);
	}
}

void handle_unref(enum handle_type type, void *object)
{
	switch (type) {
	case HANDLE_SESSION:
		session_put(object);
		break;
	case HANDLE_MEMOBJ:
		memobj_put(object);
		break;
	case HANDLE_ASPACE:
		aspace_put(object);
		break;
	case HANDLE_PROCESS:
		process_put(object);
		break;
	case HANDLE_ENDPOINT:
		endpoint_put(object);
		break;
	case HANDLE_NOTE:
		note_put(object);
		break;
	case HANDLE_IRQ:
		irq_put(object);
		break;
	case HANDLE_WAITSET:
		waitset_put(object);
		break;
	case HANDLE_SIGNALFD:
		signalfd_put(object);
		break;
	case HANDLE_FREE:
	case HANDLE_RESERVED:
		panic("put of handle type %u", type);
	}
}
