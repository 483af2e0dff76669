import CLinux
import CProcess
import FoundationEssentials
import Glibc

/// Functions of the running process on itself.
enum CurrentProcess {
    /// The process's arguments, without its own name.
    static var arguments: [String] {
        // Each argument ends with its NUL, lives as long as the process, and is copied at once.
        (0..<cprocess_argument_count()).dropFirst().compactMap { unsafe String(cString: cprocess_argument($0)) }
    }

    /// The host name, for logs, when there is no better identity.
    static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        // The last byte stays NUL, whatever the length.
        guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "unknown" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Raises the limit of open descriptors to its hard limit.
    ///
    /// - Returns: the limit; unbounded if the system does not report it.
    static func raiseDescriptorLimit() -> Int {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        // `limit` is a local variable that outlives each call.
        guard unsafe getrlimit(resource, &limit) == 0 else { return .max }
        var raised = limit
        raised.rlim_cur = limit.rlim_max
        if unsafe setrlimit(resource, &raised) == 0 { limit = raised }
        return Int(clamping: limit.rlim_cur)
    }

    /// How many of the first thousand descriptors are open: those that the process was started with.
    static var openDescriptorCount: Int {
        (0..<Int32(1024)).count { fcntl($0, F_GETFD) >= 0 }
    }

    /// Opens the standard descriptors that the process was started without: otherwise the next opened descriptor would
    /// get such a number, and printed text would be sent on a connection.
    static func openStandardDescriptors() {
        // Each call takes the lowest free number.
        var number = clinux_open_null()
        while 0...2 ~= number { number = clinux_open_null() }
        if number > 2 { close(number) }
    }

    /// Turns writes that would end the process into errors: to a closed reader, or beyond the limit of a file's size
    /// (RLIMIT_FSIZE). A log may be closed or full while clients are served.
    static func ignoreWriteSignals() {
        _ = signal(SIGPIPE, SIG_IGN)
        _ = signal(SIGXFSZ, SIG_IGN)
    }

    /// Removes the variables of libpq and libcurl that would set what this service's variables do not: the database's
    /// address, credentials, and the file for keys of TLS connections. Call it before a second thread starts, because
    /// other threads may read the environment.
    ///
    /// - Returns: a warning that names the removed variables.
    static func removeLibraryVariables() -> [String] {
        let names = ProcessInfo.processInfo.environment.keys.filter { $0.hasPrefix("PG") || $0 == "SSLKEYLOGFILE" }
        // setenv(3) and related functions must not run concurrently; there is one thread.
        for name in names { unsafe unsetenv(name) }
        guard !names.isEmpty else { return [] }
        return [
            "\(names.sorted().joined(separator: ", ")): set but not used; only DB_* configure the database connection"
        ]
    }

    /// Writes printed text out, which ending the process does not.
    static func flushOutput() {
        _ = fflush(nil)
    }

    /// Ends the process at once, without `exit`: `exit` lets libraries clean up (OPENSSL_cleanup(3)) while a thread may
    /// still connect to the database or read a secret.
    static func end(status: Int32) -> Never {
        _exit(status)
    }
}
