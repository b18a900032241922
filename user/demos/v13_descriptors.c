/* V13: the descriptors of a space.
 *
 * Linux: task_struct, mm_struct, vm_area_struct.  Tern: process, aspace, region.  A process names a
 * space, a space holds regions.  A thread is another task with the same space: what it maps, all have.
 * A child has a space of its own.  On Tern /proc/PID/aspace draws the objects.
 */
#include "demo_maps.h"
#include "demo_walk.h"

#include <pthread.h>

static char *mapped;

static void *map_one(void *arg)
{
	mapped = demo_map(DEMO_PAGE);
	return arg;
}

static void *in_thread(void *arg)
{
	return map_one(arg);
}

static bool is_mapped(const void *at)
{
	return demo_region_of(at).start != 0;
}

/* The picture, as much of it as fits a screen. */
static int draw(pid_t pid, int most)
{
	char path[40], line[256];
	int n = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/aspace", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f)) {
		if (n++ < most)
			printf("# %s", line);
	}
	if (f)
		fclose(f);
	return n;
}

/* The frame of the root table, 0 where it cannot be seen. */
static uint64_t root_of(pid_t pid)
{
	struct demo_walk w;

	return demo_walk(pid, &mapped, &w) ? w.level[0].table : 0;
}

int main(int argc, char **argv)
{
	static struct demo_region r[DEMO_REGIONS];
	struct demo_line line;
	pthread_t thread;
	pid_t child;
	char *of_child;
	char go;
	int regions, drawn;

	demo_start(argc, argv, "V13", "process, space, regions",
		   "A thread and a child process each map a page.  Look at whose page the process\n"
		   "has afterwards; on Tern also at the picture of process, aspace and regions.\n");
	demo_line_open(&line);
	demo_show("a thread has been made", !pthread_create(&thread, NULL, in_thread, NULL), true);
	pthread_join(thread, NULL);
	demo_show("what the thread mapped is in our space", is_mapped(mapped), true);
	child = fork();
	if (child < 0)
		demo_give_up("no process");
	if (child == 0) {
		map_one(NULL);
		demo_send(line.to_parent[1], &mapped, sizeof mapped);
		demo_receive(line.to_child[0], &go, 1);
		_exit(is_mapped(mapped) ? 0 : 1);
	}
	demo_receive(line.to_parent[0], &of_child, sizeof of_child);
	demo_show("what the child mapped is in our space", is_mapped(of_child), false);
	regions = demo_regions(getpid(), r);
	drawn = draw(getpid(), 8);
	printf("#   regions in maps: %d\n", regions);
	if (drawn > 0) {
		printf("#   tern: root table: ours %#lx, the child's %#lx\n", root_of(getpid()),
		       root_of(child));
		demo_claim(drawn == regions + 2, "the picture has %d lines", drawn);
		demo_claim(root_of(getpid()) && root_of(getpid()) != root_of(child), "one root table");
	}
	demo_send(line.to_child[1], "g", 1);
	demo_reap(child);
	return demo_end();
}
