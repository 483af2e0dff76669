import Glibc

/// A system call that failed for a reason outside the program.
public struct SystemError: Error, Equatable, Sendable {
    /// The number that errno held.
    public let errno: Int32
    /// The call that failed, as its manual page is named: `accept`.
    public let call: String

    init(errno: Int32, call: String) {
        self.errno = errno
        self.call = call
    }

    /// The process or the system has no descriptor left, or no memory for one.
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
        // strerror returns static or thread-local text that is copied at once.
        let text = unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "unknown error"
        return "\(call): \(text) (errno \(errno))"
    }
}

/// What a call on a non-blocking descriptor gave.
public enum Attempt<Value> {
    case done(Value)
    /// Nothing yet: wait for readiness and try again.
    case wouldBlock
}

/// The one table of errnos: makes the call, again when a signal interrupted it.
///
/// - Returns: the call's result, or `.wouldBlock` for EAGAIN.
/// - Throws: `SystemError` for the world's faults. Our own (a closed or a wild descriptor, a wild pointer) trap.
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
        case EBADF, EFAULT: fatalError("\(name): our bug, errno \(errno)")
        case let number: throw SystemError(errno: number, call: "\(name)")
        }
    }
}

/// `system` for calls that never answer EAGAIN.
func blockingSystem<Result: FixedWidthInteger & SignedInteger>(
    _ name: StaticString, _ call: () -> Result
) throws(SystemError) -> Result {
    switch try system(name, call) {
    case .done(let result): return result
    case .wouldBlock: throw SystemError(errno: EAGAIN, call: "\(name)")
    }
}
