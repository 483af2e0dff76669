import Glibc

/// A system call that failed for a reason outside the program.
public struct SystemError: Error, Equatable, Sendable {
    /// The value of errno.
    public let errno: Int32
    /// The call that failed, named as its manual page: `accept`.
    public let call: String

    init(errno: Int32, call: String) {
        self.errno = errno
        self.call = call
    }

    /// Whether the process or the system has no descriptor left, or no memory for one.
    public var isOutOfDescriptors: Bool {
        switch errno {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: true
        default: false
        }
    }
}

extension SystemError: CustomStringConvertible {
    /// `bind: Address already in use (errno 98)`
    public var description: String {
        // strerror returns static or thread-local text, which is copied at once.
        let text = unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "unknown error"
        return "\(call): \(text) (errno \(errno))"
    }
}

/// The result of a call on a non-blocking descriptor.
public enum Attempt<Value> {
    case done(Value)
    /// Not possible yet: wait for readiness and try again.
    case wouldBlock
}

/// The only table of errno values. Makes the call, and repeats it when a signal interrupts it.
///
/// - Returns: the call's result, or `.wouldBlock` for EAGAIN.
/// - Throws: `SystemError` for errors with a cause outside the program. Errors that only a bug can cause (closed or
///   invalid descriptor, invalid pointer) trap.
@inline(__always)
func system<Result: FixedWidthInteger & SignedInteger>(
    _ name: StaticString, _ call: () -> Result
) throws(SystemError) -> Attempt<Result> {
    while true {
        let result = call()
        if result >= 0 { return .done(result) }
        switch errno {
        case EINTR: continue
        case EAGAIN: return .wouldBlock
        case EBADF, EFAULT: fatalError("\(name): a bug of this program, errno \(errno)")
        case let number: throw SystemError(errno: number, call: "\(name)")
        }
    }
}

/// As `system`, for calls that never return EAGAIN.
func blockingSystem<Result: FixedWidthInteger & SignedInteger>(
    _ name: StaticString, _ call: () -> Result
) throws(SystemError) -> Result {
    switch try system(name, call) {
    case .done(let result): return result
    case .wouldBlock: throw SystemError(errno: EAGAIN, call: "\(name)")
    }
}
