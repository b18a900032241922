/* The registers of messages and replies, by their numbers, for C and for assembly.  Kernel and servers
 * take them from here alone.  What the words mean: struct tern_msg and struct tern_reply of
 * tern/abi.h, which have them in the same order. */
#pragma once

/* A request: a native operation's number or a method's in a7, six words in a0…a5, and for a method the
 * descriptor of the session that it goes to. */
#define CALL_ARGS 10 /* the first of six: a0 */
#define CALL_SESSION 16
#define CALL_OP 17

/* What recv and reply_recv return. */
#define MSG_ARGS 10 /* the first of six: a0 */
#define MSG_TOKEN 16
#define MSG_OP 17
#define MSG_BADGE 5
#define MSG_WHO 6
#define MSG_REF0 7
#define MSG_REF1 28
#define MSG_ROOT 29
#define MSG_WORD0 30
#define MSG_WORD1 31
#define MSG_HANDLE 18
#define MSG_TID 19
#define MSG_CLOSED 20

/* What reply and reply_recv take.  All behind the flags count only if the flags ask for them. */
#define REPLY_TOKEN 10
#define REPLY_RESULT 11
#define REPLY_FLAGS 12
#define REPLY_FROM 13
#define REPLY_LENGTH 14
#define REPLY_WIN 15
#define REPLY_MEMOBJ 16
#define REPLY_RID1 5
#define REPLY_BITS1 6
#define REPLY_RID2 7
#define REPLY_BITS2 28

#ifdef __ASSEMBLER__
/* The register of that number: REG(MSG_TOKEN) is x16. */
#define REG(n) REG_(n)
#define REG_(n) x##n
#endif
