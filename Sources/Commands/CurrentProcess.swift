import Glibc

/// What a process can do about itself.
enum CurrentProcess {
    /// The machine's own name, for logs, when no better identity is given.
    static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        // The last byte stays NUL whatever the length.
        guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "unknown" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Makes a write to a reader that is gone an error instead of the end: a log reader may go while clients are served.
    static func ignoreBrokenPipes() {
        _ = signal(SIGPIPE, SIG_IGN)
    }

    /// Ends the process without another word, with exit status 1.
    static func endNow() -> Never {
        _exit(1)
    }
}
