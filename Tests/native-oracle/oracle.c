/*
 * Runs single instructions on the host's processor, in 64-bit user mode, and reports what they did.
 *
 * usage: oracle FILE
 *
 * FILE is shared with the test: a header, the initial contents of the data pages, a table of cases, a table of
 * results (all layouts below). For each byte read from standard input the helper runs the first `count` cases and
 * then writes one byte to standard output.
 *
 * There is no entry or exit code around an instruction. The kernel loads the whole state of a case when a signal
 * handler returns, and saves the whole state when the next exception brings it back: the code pages are full of INT3,
 * so every instruction ends in an exception, its own or that of what follows. The handler therefore must not use
 * thread-local storage (the FS base belongs to the case) nor rely on any flag.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

enum {
    page = 4096,
    code_pages = 2,
    writable_pages = 3,
    data_pages = 4, /* the last one is read-only */
    memory_reported = 1024,
};
/* Pages before and after each of the two regions are not mapped. Code can be executed and read, not written: the
 * handler writes it through a second mapping. */
static unsigned char *const code_base = (unsigned char *)0x10000000;
static unsigned char *code_alias;
static unsigned char *const data_base = (unsigned char *)0x20000000;

struct input {
    uint64_t gpr[16]; /* in the encoding's order */
    uint64_t rip, rflags;
    uint8_t length, patch_length, patch2_length, flags; /* flags & 1: loads segment registers */
    uint32_t pad;
    uint64_t patch_address, patch2_address;
    uint8_t code[16];
    uint64_t fs_base, gs_base;
    uint8_t patch[64], patch2[64];
    uint8_t pad2[1024 - 512 - 328];
    uint8_t fx[512];   /* FXSAVE image */
    uint8_t ymm[16 * 16]; /* upper halves of the YMM registers */
};

struct output {
    uint64_t gpr[16];
    uint64_t rip, rflags;
    uint32_t trap, error; /* exception vector, error code; trap 255: timeout */
    uint64_t cr2;
    uint64_t fs_base, gs_base;
    uint16_t es, cs, ss, ds, fs, gs;
    uint32_t signal;
    uint32_t memory_start, memory_length; /* bounds of the changed bytes of the data pages */
    uint8_t pad[512 - 200];
    uint8_t fx[512];
    uint8_t memory[memory_reported];
    uint8_t ymm[16 * 16];
};

struct shared {
    uint32_t count, capacity;
    uint8_t pad[page - 8];
    uint8_t pattern[data_pages * page];
    struct input inputs[];
};

_Static_assert(sizeof(struct input) == 1280 && sizeof(struct output) == 1280 + memory_reported, "layout");

/* In the XSAVE area of a signal frame: where its header and the upper halves of the YMM registers are (SDM 1 13.4). */
enum { xsave_header = 512, xsave_ymm = 576, xsave_magic = 464, magic1 = 0x46505853 };
static int has_avx;

static struct shared *shared;
static struct output *outputs;
static volatile int current = -1;
static int seen_by_watchdog = -2;
static unsigned char initial[writable_pages * page];
static greg_t home[NGREG];
static unsigned char home_fx[512];
static uint64_t home_fs;

static const int order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                               REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };

static inline void copy(void *to, const void *from, uint64_t count)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

/* Copies what of [address, address + count) lies in the writable data pages. */
static void patch(uint64_t address, const uint8_t *bytes, unsigned count, unsigned char *pages)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t offset = address + i - (uint64_t)data_base;
        if (offset < writable_pages * page)
            pages[offset] = bytes ? bytes[i] : shared->pattern[offset];
    }
}

static void report(const struct input *in, struct output *out, ucontext_t *uc, int signo)
{
    greg_t *g = uc->uc_mcontext.gregs;
    for (int i = 0; i < 16; i++)
        out->gpr[i] = g[order[i]];
    out->rip = g[REG_RIP];
    out->rflags = g[REG_EFL];
    out->trap = signo == SIGALRM ? 255 : (uint32_t)g[REG_TRAPNO];
    out->error = g[REG_ERR];
    out->cr2 = g[REG_CR2];
    out->signal = signo;
    out->cs = g[REG_CSGSFS] & 0xFFFF;
    out->ss = (uint64_t)g[REG_CSGSFS] >> 48;
    __asm__ volatile("mov %%es, %0" : "=r"(out->es));
    __asm__ volatile("mov %%ds, %0" : "=r"(out->ds));
    __asm__ volatile("mov %%fs, %0" : "=r"(out->fs));
    __asm__ volatile("mov %%gs, %0" : "=r"(out->gs));
    __asm__ volatile("rdfsbase %0" : "=r"(out->fs_base));
    __asm__ volatile("rdgsbase %0" : "=r"(out->gs_base));
    copy(out->fx, uc->uc_mcontext.fpregs, 512);
    const unsigned char *area = (const unsigned char *)uc->uc_mcontext.fpregs;
    if (has_avx && *(const uint64_t *)(area + xsave_header) & 4)
        copy(out->ymm, area + xsave_ymm, sizeof out->ymm);
    else
        for (volatile unsigned i = 0; i < sizeof out->ymm; i++)
            out->ymm[i] = 0;

    const uint64_t *now = (const uint64_t *)data_base, *before = (const uint64_t *)initial;
    int words = writable_pages * page / 8, first = 0, last = words - 1;
    while (first < words && now[first] == before[first])
        first++;
    out->memory_start = out->memory_length = 0;
    if (first < words) {
        while (now[last] == before[last])
            last--;
        out->memory_start = first * 8;
        out->memory_length = (last - first + 1) * 8;
        unsigned count = out->memory_length < memory_reported ? out->memory_length : memory_reported;
        copy(out->memory, data_base + first * 8, count);
        copy(data_base + first * 8, shared->pattern + first * 8, out->memory_length);
    }
    patch(in->patch_address, 0, in->patch_length, data_base);
    patch(in->patch2_address, 0, in->patch2_length, data_base);
    patch(in->patch_address, 0, in->patch_length, initial);
    patch(in->patch2_address, 0, in->patch2_length, initial);
    for (unsigned i = 0; i < in->length; i++) {
        uint64_t offset = in->rip + i - (uint64_t)code_base;
        if (offset < code_pages * page)
            code_alias[offset] = 0xCC;
    }
    if (in->flags & 1)
        __asm__ volatile("mov %w0, %%es; mov %w0, %%ds; mov %w0, %%fs; mov %w0, %%gs" : : "r"(0));
}

static void load(const struct input *in, ucontext_t *uc)
{
    greg_t *g = uc->uc_mcontext.gregs;
    for (int i = 0; i < 16; i++)
        g[order[i]] = in->gpr[i];
    g[REG_RIP] = in->rip;
    g[REG_EFL] = in->rflags;
    g[REG_CSGSFS] = home[REG_CSGSFS];
    unsigned char *fx = (unsigned char *)uc->uc_mcontext.fpregs;
    /* Up to 464; what follows is the kernel's. */
    copy(fx, in->fx, 464);
    /* XSAVE header: x87, SSE and AVX are loaded, everything else goes to its initial state. */
    if (*(uint32_t *)(fx + xsave_magic) == magic1) {
        *(uint64_t *)(fx + xsave_header) = has_avx ? 7 : 3;
        if (has_avx)
            copy(fx + xsave_ymm, in->ymm, sizeof in->ymm);
    }
    for (unsigned i = 0; i < in->length; i++) {
        uint64_t offset = in->rip + i - (uint64_t)code_base;
        if (offset < code_pages * page)
            code_alias[offset] = in->code[i];
    }
    patch(in->patch_address, in->patch, in->patch_length, data_base);
    patch(in->patch2_address, in->patch2, in->patch2_length, data_base);
    patch(in->patch_address, in->patch, in->patch_length, initial);
    patch(in->patch2_address, in->patch2, in->patch2_length, initial);
    __asm__ volatile("wrfsbase %0" : : "r"(in->fs_base));
    __asm__ volatile("wrgsbase %0" : : "r"(in->gs_base));
}

static void handle(int signo, siginfo_t *info, void *context)
{
    (void)info;
    /* NT, AC and ID of the case are still in force. */
    __asm__ volatile("pushfq; andl $~0x244000, (%%rsp); popfq" : : : "memory", "cc");
    ucontext_t *uc = context;
    if (signo == SIGALRM && seen_by_watchdog != current) {
        seen_by_watchdog = current;
        return;
    }
    if (current < 0) {
        if (signo == SIGALRM)
            return;
        copy(home, uc->uc_mcontext.gregs, sizeof home);
        copy(home_fx, uc->uc_mcontext.fpregs, 464);
        __asm__ volatile("rdfsbase %0" : "=r"(home_fs));
    } else {
        report(&shared->inputs[current], &outputs[current], uc, signo);
    }
    current++;
    if (current < (int)shared->count) {
        load(&shared->inputs[current], uc);
        return;
    }
    current = -1;
    copy(uc->uc_mcontext.gregs, home, sizeof home);
    copy(uc->uc_mcontext.fpregs, home_fx, 464);
    __asm__ volatile("wrfsbase %0" : : "r"(home_fs));
    __asm__ volatile("wrgsbase %0" : : "r"(0ull));
}

static void *map(void *address, size_t size, int protection)
{
    void *p = mmap(address, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_FIXED_NOREPLACE, -1, 0);
    if (p != address)
        exit(3);
    return p;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    has_avx = __builtin_cpu_supports("avx");
    int file = open(argv[1], O_RDWR);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0)
        return 2;
    shared = mmap(0, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
    if (shared == MAP_FAILED)
        return 2;
    outputs = (struct output *)(shared->inputs + shared->capacity);
    int code = memfd_create("code", 0);
    if (code < 0 || ftruncate(code, code_pages * page) != 0)
        return 3;
    code_alias = mmap(0, code_pages * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, code, 0);
    if (code_alias == MAP_FAILED)
        return 3;
    map(data_base, data_pages * page, PROT_READ | PROT_WRITE);
    for (int i = 0; i < code_pages * page; i++)
        code_alias[i] = 0xCC;
    if (mmap(code_base, code_pages * page, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_POPULATE | MAP_FIXED_NOREPLACE, code,
             0) != code_base)
        return 3;
    copy(data_base, shared->pattern, data_pages * page);
    copy(initial, shared->pattern, sizeof initial);
    mprotect(data_base + writable_pages * page, page, PROT_READ);

    stack_t stack = { .ss_size = 1 << 18 };
    stack.ss_sp = mmap(0, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    sigaltstack(&stack, 0);
    struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
    sigfillset(&action.sa_mask);
    const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGALRM };
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, 0);
    struct itimerval every = { { 1, 0 }, { 1, 0 } };
    setitimer(ITIMER_REAL, &every, 0);

    char byte;
    while (read(0, &byte, 1) == 1) {
        if (shared->count > shared->capacity)
            return 4;
        __asm__ volatile("int3" : : : "memory");
        if (write(1, &byte, 1) != 1)
            return 5;
    }
    return 0;
}
