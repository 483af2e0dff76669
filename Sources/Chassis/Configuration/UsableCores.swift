private import CLinux
private import FoundationEssentials

/// Cores that this process may use, which a container or `taskset` can limit below the machine's; at least 1.
func usableCores() -> Int {
    // Not Cpus_allowed of /proc/self/status, which includes processors that could be plugged in.
    let scheduled = Int(clinux_usable_cores())
    let cores = scheduled > 0 ? scheduled : max(1, ProcessInfo.processInfo.activeProcessorCount)
    return usableCores(of: cores) { path in
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}

/// How many of the `cores` in the affinity mask the process's control groups allow.
///
/// - Parameter read: returns a file's text; nil if there is no such file.
func usableCores(of cores: Int, read: (String) -> String?) -> Int {
    guard let groups = read("/proc/self/cgroup"), let mounts = read("/proc/self/mountinfo"),
        let quota = coreQuota(groups: groups, mounts: mounts, read: read)
    else { return cores }
    return min(cores, quota)
}

/// The smallest quota of a process's control groups in cores, rounded up, because one loop less would leave a part of
/// it unused. Nil without a quota.
///
/// - Parameters:
///   - groups: the text of /proc/self/cgroup.
///   - mounts: the text of /proc/self/mountinfo.
///   - read: returns a file's text; nil if there is no such file.
func coreQuota(groups: String, mounts: String, read: (String) -> String?) -> Int? {
    var least: Int?
    for group in ControlGroup.all(of: "cpu", groups: groups, mounts: mounts) {
        func line(_ name: String) -> Substring? { read("\(group.directory)/\(name)")?.prefix { $0 != "\n" } }
        let quota: Int?
        let period: Int?
        if group.isVersion2 {
            // `50000 100000`, or `max 100000`: microseconds of CPU time per period in microseconds.
            let parts = line("cpu.max")?.split(separator: " ") ?? []
            quota = parts.first.flatMap(plainDecimal)
            period = parts.count == 2 ? plainDecimal(parts[1]) : nil
        } else {
            // -1 means no limit, and is not a plain number.
            quota = line("cpu.cfs_quota_us").flatMap(plainDecimal)
            period = line("cpu.cfs_period_us").flatMap(plainDecimal)
        }
        guard let quota, let period, quota > 0, period > 0 else { continue }
        let cores = (quota - 1) / period + 1
        least = min(least ?? cores, cores)
    }
    return least
}
