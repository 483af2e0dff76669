/// A control group (cgroups(7)) as a directory of files.
struct ControlGroup: Equatable {
    let directory: String
    /// Whether its files have the format of version 2.
    let isVersion2: Bool

    /// The groups of a process by which a controller may limit it: its own and the enclosing ones, as far as they are
    /// mounted.
    ///
    /// - Parameters:
    ///   - groups: the text of /proc/self/cgroup, one line per hierarchy: number, controllers, path.
    ///   - mounts: the text of /proc/self/mountinfo (proc_pid_mountinfo(5)); its fourth field is the mounted part of the
    ///     hierarchy, and the fifth the mount point.
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

    /// The process's path in the hierarchy of version 2, or in that of the controller.
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

    /// The directories of the process's group and of the enclosing ones, as far as they are mounted.
    private static func directories(from path: String, root: String, mountPoint: String) -> [String] {
        var rest = path[...]
        // A container may see its own group as the root, while the path is relative to the machine's root.
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
