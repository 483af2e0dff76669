/// A control group (cgroups(7)) as a directory of files.
struct ControlGroup: Equatable {
    let directory: String
    /// Whether its files are those of version 2.
    let isVersion2: Bool

    /// The groups of a process that a controller may limit it by: its own, and those around it as far as they are mounted.
    ///
    /// - Parameters:
    ///   - groups: as /proc/self/cgroup, a line for each hierarchy: number, controllers, path.
    ///   - mounts: as /proc/self/mountinfo (proc_pid_mountinfo(5)), of which the fourth field is the part of the hierarchy
    ///     that is seen, and the fifth where.
    static func all(of controller: String, groups: String, mounts: String) -> [ControlGroup] {
        mounts.split(separator: "\n").flatMap { line -> [ControlGroup] in
            let fields = line.split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 3 else { return [] }
            let isVersion2 = fields[dash + 1] == "cgroup2"
            guard isVersion2 || fields[dash + 1] == "cgroup" && has(controller, in: fields[dash + 3]) else { return [] }
            guard let path = path(of: controller, in: groups, isVersion2: isVersion2) else { return [] }
            return directories(from: path, root: String(fields[3]), mountPoint: String(fields[4])).map {
                ControlGroup(directory: $0, isVersion2: isVersion2)
            }
        }
    }

    /// Where the process stands in the hierarchy of version 2, or in that of the controller.
    private static func path(of controller: String, in groups: String, isVersion2: Bool) -> String? {
        for line in groups.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            if isVersion2 ? fields[0] == "0" && fields[1].isEmpty : has(controller, in: fields[1]) {
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
