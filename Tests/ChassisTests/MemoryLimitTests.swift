import Testing

@testable import Chassis

struct MemoryLimitTests {
    private let version1 = "33 32 0:28 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    private let version2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"

    private func find(_ groups: String, _ mounts: String, _ files: [String: String]) -> Int? {
        MemoryLimit.find(groups: groups, mounts: mounts) { files[$0] }
    }

    @Test func `version 1 has it in the memory controller's hierarchy`() {
        let files = ["/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "67108864\n"]
        #expect(find("4:cpu:/b\n3:memory:/a\n0::/\n", version1, files) == 67_108_864)
    }

    @Test func `version 2 has it in the unified hierarchy`() {
        #expect(find("0::/a\n", version2, ["/sys/fs/cgroup/a/memory.max": "67108864\n"]) == 67_108_864)
    }

    @Test func `the lowest limit of the enclosing groups counts`() {
        let files = [
            "/sys/fs/cgroup/memory.max": "500\n", "/sys/fs/cgroup/a/memory.max": "200\n",
            "/sys/fs/cgroup/a/b/memory.max": "300\n",
        ]
        #expect(find("0::/a/b\n", version2, files) == 200)
    }

    @Test func `a group without a limit is unlimited`() {
        #expect(find("0::/a\n", version2, ["/sys/fs/cgroup/a/memory.max": "max\n"]) == nil)
        let files = ["/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"]
        #expect(find("3:memory:/\n", version1, files) == nil)
    }

    @Test func `a container that sees only its group finds it at the mount point`() {
        let mounts = "33 32 0:28 /docker/1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
        let files = [
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": "300\n",
            "/sys/fs/cgroup/memory/inner/memory.limit_in_bytes": "200\n",
        ]
        #expect(find("3:memory:/docker/1\n", mounts, files) == 300)
        #expect(find("3:memory:/docker/1/inner\n", mounts, files) == 200)
        #expect(find("3:memory:/elsewhere\n", mounts, files) == 300)
    }

    @Test func `an unreadable file is no limit`() {
        #expect(find("", "", [:]) == nil)
        #expect(find("nonsense", "nonsense", [:]) == nil)
        #expect(find("0::/a\n", version2, ["/sys/fs/cgroup/a/memory.max": "many\n"]) == nil)
    }

    @Test func `with both versions mounted the lowest limit counts`() {
        let files = ["/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "300\n", "/sys/fs/cgroup/b/memory.max": "200\n"]
        #expect(find("3:memory:/a\n0::/b\n", version1 + version2, files) == 200)
        #expect(find("3:memory:/a\n0::/b\n", version2 + version1, files) == 200)
    }

    @Test func `the hierarchy of another controller is ignored`() {
        let mounts = "33 32 0:28 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
        #expect(find("3:memory:/a\n", mounts, ["/sys/fs/cgroup/pids/a/memory.limit_in_bytes": "300\n"]) == nil)
        // The group of another controller, in a hierarchy that also has this group.
        #expect(find("2:pids:/a\n", version1, ["/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "300\n"]) == nil)
    }

    @Test func `a mount may have any number of optional fields`() {
        let files = ["/sys/fs/cgroup/a/memory.max": "200\n"]
        for fields in ["", "shared:4 ", "shared:4 master:2 propagate_from:1 "] {
            #expect(find("0::/a\n", "30 23 0:26 / /sys/fs/cgroup rw \(fields)- cgroup2 cgroup2 rw\n", files) == 200)
        }
    }
}
