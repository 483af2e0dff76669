private import FoundationEssentials

/// The cores this process may run on, which a container or `taskset` can make fewer than the machine has; 1 at least.
func usableCores() -> Int {
    // sched_getaffinity(2) is not among what `import Glibc` shows, and ProcessInfo counts the machine's cores.
    if let status = FileManager.default.contents(atPath: "/proc/self/status"), let count = allowedCores(Array(status)) {
        return count
    }
    return max(1, ProcessInfo.processInfo.activeProcessorCount)
}

/// The bits of the mask after `Cpus_allowed:` (proc_pid_status(5)): hexadecimal digits, with a comma after each word.
func allowedCores(_ status: [UInt8]) -> Int? {
    let lines = status.split(separator: 0x0A)
    guard let line = lines.first(where: { $0.starts(with: Array("Cpus_allowed:".utf8)) }) else { return nil }
    var count = 0
    for byte in line.drop(while: { $0 != 0x3A }).dropFirst() {
        guard byte != 0x2C && byte != 0x09 else { continue }
        guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else { return nil }
        count += digit.nonzeroBitCount
    }
    return count > 0 ? count : nil
}
