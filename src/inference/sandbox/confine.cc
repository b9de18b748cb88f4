#include "inference/sandbox/confine.h"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <memory>

namespace holdfast::inference {
namespace {

// Threads are made by clone and clone3, which stay; a process that they make has this filter too.
constexpr int kRefused[] = {SCMP_SYS(execve),      SCMP_SYS(execveat),
                            SCMP_SYS(fork),        SCMP_SYS(vfork),
                            SCMP_SYS(ptrace),      SCMP_SYS(process_vm_readv),
                            SCMP_SYS(pidfd_getfd), SCMP_SYS(process_vm_writev),
                            SCMP_SYS(kill),        SCMP_SYS(pidfd_send_signal),
                            SCMP_SYS(socket),      SCMP_SYS(socketpair),
                            SCMP_SYS(connect),     SCMP_SYS(bind),
                            SCMP_SYS(listen),      SCMP_SYS(accept),
                            SCMP_SYS(accept4),     SCMP_SYS(io_uring_setup),
                            SCMP_SYS(bpf),         SCMP_SYS(perf_event_open),
                            SCMP_SYS(userfaultfd), SCMP_SYS(keyctl),
                            SCMP_SYS(add_key),     SCMP_SYS(request_key),
                            SCMP_SYS(mount),       SCMP_SYS(umount2),
                            SCMP_SYS(pivot_root),  SCMP_SYS(chroot),
                            SCMP_SYS(unshare),     SCMP_SYS(setns),
                            SCMP_SYS(creat),       SCMP_SYS(truncate),
                            SCMP_SYS(unlink),      SCMP_SYS(unlinkat),
                            SCMP_SYS(rmdir),       SCMP_SYS(mkdir),
                            SCMP_SYS(mkdirat),     SCMP_SYS(rename),
                            SCMP_SYS(renameat),    SCMP_SYS(renameat2),
                            SCMP_SYS(link),        SCMP_SYS(linkat),
                            SCMP_SYS(symlink),     SCMP_SYS(symlinkat),
                            SCMP_SYS(mknod),       SCMP_SYS(mknodat),
                            SCMP_SYS(chmod),       SCMP_SYS(fchmod),
                            SCMP_SYS(fchmodat),    SCMP_SYS(chown),
                            SCMP_SYS(fchown),      SCMP_SYS(lchown),
                            SCMP_SYS(fchownat),    SCMP_SYS(setxattr),
                            SCMP_SYS(lsetxattr),   SCMP_SYS(fsetxattr),
                            SCMP_SYS(utimensat)};

Result<void> limit(__rlimit_resource_t what, uint64_t most) {
  const rlimit to{.rlim_cur = most, .rlim_max = most};
  if (::setrlimit(what, &to) != 0) return std::unexpected(errno_error(errno, "setrlimit"));
  return {};
}

// openat2 hides its flags in memory: the C library does not use it, and nobody else has to.
bool add_rules(scmp_filter_ctx filter) {
  const uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
  bool good = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0) == 0;
  for (const int call : kRefused) good = good && seccomp_rule_add(filter, refuse, call, 0) == 0;
  for (const uint64_t how : {O_WRONLY, O_RDWR}) {
    const scmp_arg_cmp at_1{1, SCMP_CMP_MASKED_EQ, O_ACCMODE, how};
    const scmp_arg_cmp at_2{2, SCMP_CMP_MASKED_EQ, O_ACCMODE, how};
    good = good && seccomp_rule_add(filter, refuse, SCMP_SYS(open), 1, at_1) == 0 &&
           seccomp_rule_add(filter, refuse, SCMP_SYS(openat), 1, at_2) == 0;
  }
  for (const uint64_t flag : {O_CREAT, O_TRUNC}) {
    const scmp_arg_cmp at_1{1, SCMP_CMP_MASKED_EQ, flag, flag};
    const scmp_arg_cmp at_2{2, SCMP_CMP_MASKED_EQ, flag, flag};
    good = good && seccomp_rule_add(filter, refuse, SCMP_SYS(open), 1, at_1) == 0 &&
           seccomp_rule_add(filter, refuse, SCMP_SYS(openat), 1, at_2) == 0;
  }
  return good;
}

}  // namespace

Result<void> confine(uint64_t memory, std::chrono::seconds time) {
  TRY_VOID(limit(RLIMIT_CORE, 0));
  TRY_VOID(limit(RLIMIT_DATA, memory));
  TRY_VOID(limit(RLIMIT_CPU, static_cast<uint64_t>(time.count())));
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(seccomp_init(SCMP_ACT_ALLOW),
                                                                seccomp_release);
  // Other threads get it as well.
  const bool made = filter && seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
                    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && add_rules(filter.get());
  if (!made || seccomp_load(filter.get()) != 0)
    return fail(Code::unavailable, "the kernel does not confine a process (seccomp)");
  return {};
}

}  // namespace holdfast::inference
