private import CLinux
private import FoundationEssentials

/// The cores' worth of time that this process may take, which a container or `taskset` can make less than the machine has; 1
/// at least.
func usableCores() -> Int {
    // Not Cpus_allowed of /proc/self/status, which counts the places of processors that could be plugged in.
    let scheduled = Int(clinux_usable_cores())
    let cores = scheduled > 0 ? scheduled : max(1, ProcessInfo.processInfo.activeProcessorCount)
    return usableCores(of: cores) { path in
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}

/// How many of the `cores` that a process is scheduled on its control groups let it use.
///
/// - Parameter read: a file's text; nil when there is none.
func usableCores(of cores: Int, read: (String) -> String?) -> Int {
    guard let groups = read("/proc/self/cgroup"), let mounts = read("/proc/self/mountinfo"),
        let quota = coreQuota(groups: groups, mounts: mounts, read: read)
    else { return cores }
    return min(cores, quota)
}

/// The cores that the least quota of a process's control groups comes to: rounded up, since a loop less would leave some of
/// it unused. Nil where nothing limits it.
///
/// - Parameters:
///   - groups: as /proc/self/cgroup.
///   - mounts: as /proc/self/mountinfo.
///   - read: a file's text; nil when there is none.
func coreQuota(groups: String, mounts: String, read: (String) -> String?) -> Int? {
    var least: Int?
    for group in ControlGroup.all(of: "cpu", groups: groups, mounts: mounts) {
        func line(_ name: String) -> Substring? { read("\(group.directory)/\(name)")?.prefix { $0 != "\n" } }
        let quota: Int?
        let period: Int?
        if group.isVersion2 {
            // `50000 100000`, or `max 100000`: microseconds of time in microseconds.
            let parts = line("cpu.max")?.split(separator: " ") ?? []
            quota = parts.first.flatMap(plainDecimal)
            period = parts.count == 2 ? plainDecimal(parts[1]) : nil
        } else {
            // -1 is no limit, and no plain number.
            quota = line("cpu.cfs_quota_us").flatMap(plainDecimal)
            period = line("cpu.cfs_period_us").flatMap(plainDecimal)
        }
        guard let quota, let period, quota > 0, period > 0 else { continue }
        let cores = (quota - 1) / period + 1
        least = min(least ?? cores, cores)
    }
    return least
}
