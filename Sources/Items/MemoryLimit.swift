private import FoundationEssentials

/// The memory a process may have by its control groups (cgroups(7)): the least that one of them, or one around it, allows.
public enum MemoryLimit {
    /// Groups without a limit show one that no machine has.
    private static let unlimited = 1 << 60

    /// In bytes; nil where nothing limits this process.
    public static func ofThisProcess() -> Int? {
        let read = { @Sendable (path: String) in
            FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
        }
        guard let groups = read("/proc/self/cgroup"), let mounts = read("/proc/self/mountinfo") else { return nil }
        return find(groups: groups, mounts: mounts, read: read)
    }

    /// - Parameters:
    ///   - groups: as /proc/self/cgroup, a line for each hierarchy: number, controllers, path.
    ///   - mounts: as /proc/self/mountinfo (proc_pid_mountinfo(5)), of which the fourth field is the part of the hierarchy
    ///     that is seen, and the fifth where.
    ///   - read: a file's text; nil when there is none.
    static func find(groups: String, mounts: String, read: (String) -> String?) -> Int? {
        var least: Int?
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 3 else { continue }
            let isVersion2 = fields[dash + 1] == "cgroup2"
            guard isVersion2 || fields[dash + 1] == "cgroup" && has("memory", in: fields[dash + 3]) else { continue }
            guard let path = path(in: groups, isVersion2: isVersion2) else { continue }
            let file = isVersion2 ? "memory.max" : "memory.limit_in_bytes"
            for directory in directories(from: path, root: String(fields[3]), mountPoint: String(fields[4])) {
                guard let text = read("\(directory)/\(file)"), let limit = plainDecimal(text.prefix { $0 != "\n" }),
                    limit < unlimited
                else { continue }
                least = min(least ?? limit, limit)
            }
        }
        return least
    }

    /// Where the process stands in the hierarchy of version 2, or in that of the memory controller.
    private static func path(in groups: String, isVersion2: Bool) -> String? {
        for line in groups.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            if isVersion2 ? fields[0] == "0" && fields[1].isEmpty : has("memory", in: fields[1]) {
                return String(fields[2])
            }
        }
        return nil
    }

    /// The process's group and those around it, as far as they are mounted.
    private static func directories(from path: String, root: String, mountPoint: String) -> [String] {
        var rest = path[...]
        // A container may see its own group as the root, and still be told the path from the machine's.
        if root != "/" {
            guard rest.hasPrefix(root) else { return [mountPoint] }
            rest = rest.dropFirst(root.count)
        }
        var directories = [mountPoint]
        for part in rest.split(separator: "/") { directories.append("\(directories.last ?? mountPoint)/\(part)") }
        return directories
    }

    private static func has(_ name: String, in list: Substring) -> Bool {
        list.split(separator: ",").contains { $0 == name }
    }
}
