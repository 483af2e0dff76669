import Testing

@testable import Chassis

struct UsableCoresTests {
    private static let version2 = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"
    private static let version1 = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"

    private func quota(_ groups: String, _ mounts: String, _ files: [String: String]) -> Int? {
        coreQuota(groups: groups, mounts: mounts) { files[$0] }
    }

    @Test(arguments: [
        ("50000 100000", 1), ("100000 100000", 1), ("100001 100000", 2), ("150000 100000", 2), ("1000 100000", 1),
        ("400000 100000", 4), ("max 100000", nil), ("", nil), ("50000", nil), ("0 100000", nil), ("50000 0", nil),
    ])
    func `a quota is rounded up to whole cores`(text: String, cores: Int?) {
        #expect(quota("0::/a", Self.version2, ["/sys/fs/cgroup/a/cpu.max": text + "\n"]) == cores)
    }

    @Test(arguments: [("50000", "100000", 1), ("250000", "100000", 3), ("-1", "100000", nil), ("50000", "", nil)])
    func `version 1 has it in two files`(quota text: String, period: String, cores: Int?) {
        let directory = "/sys/fs/cgroup/cpu,cpuacct/a/b"
        let files = ["\(directory)/cpu.cfs_quota_us": text + "\n", "\(directory)/cpu.cfs_period_us": period + "\n"]
        #expect(quota("4:memory:/x\n3:cpu,cpuacct:/a/b\n0::/\n", Self.version1, files) == cores)
    }

    @Test func `the lowest limit of the enclosing groups counts`() {
        let files = [
            "/sys/fs/cgroup/a/cpu.max": "200000 100000\n", "/sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
            "/sys/fs/cgroup/a/b/c/cpu.max": "700000 100000\n", "/sys/fs/cgroup/other/cpu.max": "100000 100000\n",
        ]
        #expect(quota("0::/a/b/c", Self.version2, files) == 2)
    }

    @Test func `the root of a container counts`() {
        let mount = "31 23 0:28 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
        #expect(quota("0::/docker/abc", mount, ["/sys/fs/cgroup/cpu.max": "150000 100000\n"]) == 2)
        #expect(quota("0::/", Self.version2, ["/sys/fs/cgroup/cpu.max": "150000 100000\n"]) == 2)
    }

    @Test func `without a quota there is no limit`() {
        #expect(quota("0::/", Self.version2, [:]) == nil)
        #expect(quota("", "", [:]) == nil)
        #expect(quota("garbage", "garbage - cgroup2", [:]) == nil)
    }

    @Test(arguments: [(8, "50000 100000", 1), (8, "250000 100000", 3), (2, "400000 100000", 2), (8, "max 100000", 8)])
    func `the lower of cores and quota counts`(cores: Int, text: String, usable: Int) {
        let files = [
            "/proc/self/cgroup": "0::/a\n", "/proc/self/mountinfo": Self.version2,
            "/sys/fs/cgroup/a/cpu.max": text + "\n",
        ]
        #expect(usableCores(of: cores) { files[$0] } == usable)
    }

    @Test func `without control groups every core counts`() {
        #expect(usableCores(of: 3) { _ in nil } == 3)
    }

    @Test func `there is at least one core`() {
        #expect(usableCores() >= 1)
    }
}
