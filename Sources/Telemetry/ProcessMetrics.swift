import Glibc

/// The `process_*` metrics with the names of Prometheus client libraries, read from /proc/self at each scrape.
public enum ProcessMetrics {
    /// Adds them to `registry`; once per registry. Values that the system does not provide are omitted.
    public static func register(in registry: Registry) {
        let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
        let pageSize = Double(sysconf(Int32(_SC_PAGESIZE)))
        registry.collect("process_cpu_seconds_total", .counter, help: "User and system CPU time spent.") {
            Status.now().map { Double($0.cpuTicks) / ticksPerSecond }
        }
        registry.collect("process_resident_memory_bytes", .gauge, help: "Resident memory size.") {
            Status.now().map { Double($0.residentPages) * pageSize }
        }
        registry.collect("process_virtual_memory_bytes", .gauge, help: "Virtual memory size.") {
            Status.now().map { Double($0.virtualBytes) }
        }
        registry.collect("process_threads", .gauge, help: "Threads of the process.") {
            Status.now().map { Double($0.threads) }
        }
        registry.collect("process_open_fds", .gauge, help: "Open file descriptors.") {
            openDescriptors().map(Double.init)
        }
        registry.collect("process_max_fds", .gauge, help: "Most file descriptors that may be open.") {
            var limit = rlimit()
            // `limit` is a local variable that outlives the call.
            guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
            return Double(limit.rlim_cur)
        }
        let startTime = bootTime().flatMap { boot in
            Status.now().map { Double(boot) + Double($0.startTicks) / ticksPerSecond }
        }
        registry.collect("process_start_time_seconds", .gauge, help: "When the process started, as Unix time.") {
            startTime
        }
    }

    /// The used fields of /proc/self/stat; proc(5).
    struct Status: Equatable {
        var cpuTicks: Int
        var threads: Int
        /// Clock ticks after the system's start.
        var startTicks: Int
        var virtualBytes: Int
        var residentPages: Int

        static func now() -> Status? {
            contents(of: "/proc/self/stat").flatMap { Status(stat: String(decoding: $0, as: UTF8.self)) }
        }

        init?(stat: String) {
            // The second field, the command in parentheses, may contain spaces and parentheses itself.
            guard let command = stat.lastIndex(of: ")") else { return nil }
            let fields = stat[command...].dropFirst().split(separator: " ")
            // Index 0 here is field 3 of proc(5).
            let number = { (position: Int) in position - 3 < fields.count ? Int(fields[position - 3]) : nil }
            guard let user = number(14), let system = number(15), let threads = number(20), let start = number(22),
                let virtual = number(23), let resident = number(24)
            else { return nil }
            cpuTicks = user + system
            self.threads = threads
            startTicks = start
            virtualBytes = virtual
            residentPages = resident
        }
    }

    /// The line `btime` of /proc/stat: the system's start, as Unix time.
    private static func bootTime() -> Int? {
        guard let bytes = contents(of: "/proc/stat") else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        return lines.first { $0.hasPrefix("btime ") }.flatMap { Int($0.dropFirst(6)) }
    }

    private static func openDescriptors() -> Int? {
        guard let directory = unsafe opendir("/proc/self/fd") else { return nil }
        // `directory` is open until the end of this function; only the number of its entries is used.
        defer { unsafe closedir(directory) }
        var count = 0
        while unsafe readdir(directory) != nil { count += 1 }
        // Without `.`, `..` and the descriptor that reads the directory.
        return count - 3
    }

    private static func contents(of path: String) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 { return nil }
        defer { close(descriptor) }
        var contents: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            // The pointer is used within the closure, with the count of its bytes.
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            if count < 0 { return nil }
            if count == 0 { return contents }
            contents.append(contentsOf: chunk[..<count])
        }
    }
}
