import Glibc

/// Standard error for the commands' errors: `print("…", to: &standardError)`.
struct StandardError: TextOutputStream {
    mutating func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            // The pointer lives as long as the call, and the count is the array's own.
            let written = unsafe rest.withUnsafeBytes { unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            // There is no other place to report the error.
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
    }
}
