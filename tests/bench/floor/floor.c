/* SPDX-License-Identifier: MIT */
/*
 * The physical floor of a pause: SEIZE and INTERRUPT all threads of a process, wait, reread the
 * task list once, read registers and 8 KiB of each stack, write two words, DETACH. Shares no code
 * with the project and checks nothing. usage: floor PID ADDRESS: prints the pause in microseconds;
 * at ADDRESS (hexadecimal) are two words of the target that may be overwritten with what they hold.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 8192
#define STACK_BYTES 8192

static pid_t tids[MAX_THREADS];
static char stack[STACK_BYTES];

static double now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int read_tasks(pid_t pid, int keep)
{
	char path[64];
	int count = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		if (entry->d_name[0] == '.' || count == MAX_THREADS)
			continue;
		if (keep)
			tids[count] = (pid_t)strtol(entry->d_name, NULL, 10);
		count++;
	}
	if (dir)
		closedir(dir);
	return count;
}

static void look_at(pid_t pid, pid_t tid)
{
	struct user_regs_struct regs;
	struct iovec whole = {&regs, sizeof(regs)};

	/* NT_PRSTATUS is 1 */
	if (ptrace(PTRACE_GETREGSET, tid, (void *)1, &whole) != 0)
		return;
	struct iovec here = {stack, STACK_BYTES};
	struct iovec there = {(void *)regs.rsp, STACK_BYTES};
	if (process_vm_readv(pid, &here, 1, &there, 1, 0) < 0)
		return;
}

int main(int argc, char **argv)
{
	pid_t pid = argc == 3 ? (pid_t)strtol(argv[1], NULL, 10) : 0;
	uint64_t address = argc == 3 ? strtoull(argv[2], NULL, 16) : 0, words[2];
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	int memory = open(path, O_RDWR);
	if (memory < 0 || pread(memory, words, sizeof(words), (off_t)address) != sizeof(words))
		return 1;
	int count = read_tasks(pid, 1), seized = 0;
	for (int i = 0; i < count; i++)
		if (ptrace(PTRACE_SEIZE, tids[i], NULL, NULL) == 0)
			tids[seized++] = tids[i];
	double start = now_us();
	for (int i = 0; i < seized; i++)
		ptrace(PTRACE_INTERRUPT, tids[i], NULL, NULL);
	for (int i = 0; i < seized; i++)
		waitpid(tids[i], NULL, __WALL);
	read_tasks(pid, 0);
	for (int i = 0; i < seized; i++)
		look_at(pid, tids[i]);
	for (int i = 0; i < 2; i++)
		if (pwrite(memory, &words[i], 8, (off_t)(address + 8 * (uint64_t)i)) != 8)
			return 1;
	for (int i = 0; i < seized; i++)
		ptrace(PTRACE_DETACH, tids[i], NULL, NULL);
	printf("%.1f\n", now_us() - start);
	return 0;
}
