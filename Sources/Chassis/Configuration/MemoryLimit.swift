private import FoundationEssentials

/// The memory a process may have by its control groups (cgroups(7)): the least that one of them, or one around it, allows.
enum MemoryLimit {
    /// Groups without a limit show one that no machine has.
    private static let unlimited = 1 << 60

    /// In bytes; nil where nothing limits this process.
    static func ofThisProcess() -> Int? {
        let read = { @Sendable (path: String) in
            FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
        }
        guard let groups = read("/proc/self/cgroup"), let mounts = read("/proc/self/mountinfo") else { return nil }
        return find(groups: groups, mounts: mounts, read: read)
    }

    /// - Parameters:
    ///   - groups: as /proc/self/cgroup.
    ///   - mounts: as /proc/self/mountinfo.
    ///   - read: a file's text; nil when there is none.
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
