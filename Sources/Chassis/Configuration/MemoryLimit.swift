private import FoundationEssentials

/// The memory that a process may use by its control groups (cgroups(7)): the smallest limit of its group and the
/// enclosing ones.
enum MemoryLimit {
    /// Groups without a limit show one that no machine has.
    private static let unlimited = 1 << 60

    /// In bytes; nil when this process has no limit.
    static func ofThisProcess() -> Int? {
        let read = { @Sendable (path: String) in
            FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
        }
        guard let groups = read("/proc/self/cgroup"), let mounts = read("/proc/self/mountinfo") else { return nil }
        return find(groups: groups, mounts: mounts, read: read)
    }

    /// - Parameters:
    ///   - groups: the text of /proc/self/cgroup.
    ///   - mounts: the text of /proc/self/mountinfo.
    ///   - read: returns a file's text; nil if there is no such file.
    static func find(groups: String, mounts: String, read: (String) -> String?) -> Int? {
        var least: Int?
        for group in ControlGroup.all(of: "memory", groups: groups, mounts: mounts) {
            let file = group.isVersion2 ? "memory.max" : "memory.limit_in_bytes"
            guard let text = read("\(group.directory)/\(file)"), let limit = plainDecimal(text.prefix { $0 != "\n" }),
                limit < unlimited
            else { continue }
            least = min(least ?? limit, limit)
        }
        return least
    }
}
