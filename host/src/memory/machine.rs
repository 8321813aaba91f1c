//! How much memory the process can have: that of the machine or, if less, that of its control group.
//! Sources: proc(5), cgroups(7), Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of Linux.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// Where control groups are mounted.
const CGROUPS: &str = "/sys/fs/cgroup";

/// Memory of the machine or, if less, of the control group, in bytes. None where there is no /proc.
pub fn machine_bytes() -> Option<usize> {
    let machine = of_machine(&read_to_string("/proc/meminfo").ok()?)?;
    let groups = read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = limit_files(&groups).into_iter().filter_map(|file| read_to_string(file).ok()?.trim().parse().ok());
    Some(limits.fold(machine, usize::min))
}

/// `MemTotal` of /proc/meminfo, in bytes.
fn of_machine(meminfo: &str) -> Option<usize> {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().strip_suffix("kB")?.trim_end().parse::<usize>().ok()?.checked_mul(1024)
}

/// The files with the limits of the process's group and of all groups around it. Those without a limit contain `max`
/// (version 2) or a very large number (version 1). In a container, the group's path is often that outside of the
/// container, and its files do not exist here: then the limit is in the file at the top.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let files = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let (mount, file) = match controllers {
            "" => (CGROUPS.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                (format!("{CGROUPS}/memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let ancestors = Path::new(path.trim_start_matches('/')).ancestors();
        Some(ancestors.map(|path| Path::new(&mount).join(path).join(file)).collect::<Vec<_>>())
    });
    files.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_memory_is_read() {
        assert_eq!(of_machine("MemTotal:       24684084 kB\nMemFree: 1 kB\n"), Some(24_684_084 * 1024));
        assert_eq!(of_machine("MemFree: 1 kB\n"), None);
        if cfg!(target_os = "linux") {
            assert!(machine_bytes().is_some_and(|bytes| bytes > 1 << 20));
        }
    }

    #[test]
    fn all_groups_around_the_process_have_a_limit() {
        let of = |groups| limit_files(groups).iter().map(|file| file.display().to_string()).collect::<Vec<_>>();
        let unified = ["/sys/fs/cgroup/a.slice/b.service/memory.max", "/sys/fs/cgroup/a.slice/memory.max"];
        assert_eq!(of("0::/a.slice/b.service\n"), [&unified[..], &["/sys/fs/cgroup/memory.max"]].concat());
        let separate = ["/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
        assert_eq!(of("5:cpu:/a\n4:hugetlb,memory:/a\n"), separate);
    }
}
