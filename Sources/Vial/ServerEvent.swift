public import HTTP1
public import Reactor

/// What a server reports, at the moment it happens, on the loop where it happens.
public enum ServerEvent {
    case accepted
    case closed
    /// A head was read: the request is in flight until it is completed or abandoned.
    case started
    /// An answer was written into the connection's buffer.
    ///
    /// `nanoseconds` runs from the reading of the head. `failure` is the error behind an answer that hides it.
    case completed(Request, status: Int, bytes: Int, nanoseconds: UInt64, failure: (any Error)?)
    /// The connection ended before the request did.
    case abandoned
    /// What a client sent is refused as a message. The answer is reported as any other; of bytes that could not be parsed its
    /// request has an identifier and a peer only. The connection closes after it, unless the body was merely declared too large
    /// and can be dropped.
    case refused(Refusal)
    /// A client was lost or refused before it had a connection.
    case acceptFailed(SystemError)
    /// No descriptor is left: accepting pauses. At most once in ten seconds.
    case outOfDescriptors(SystemError)
    /// As many connections are open as may be: further clients wait in the accept queue. At most once in
    /// ten seconds.
    case connectionLimitReached(Int)
    case drain(Drain.Phase)
    /// The drain's time was over with so many connections open; they were cut.
    case drainTimedOut(open: Int)

    /// Why bytes were refused.
    public enum Refusal: Error, Equatable, CustomStringConvertible {
        case malformed(ProtocolError)
        case headTimedOut
        case bodyTimedOut
        /// What the request has to be kept in is more than the process has left.
        case outOfMemory

        /// The reason as a label: `head_timed_out`, or the `ProtocolError`'s.
        public var description: String {
            switch self {
            case .malformed(let error): error.reason
            case .headTimedOut: "head_timed_out"
            case .bodyTimedOut: "body_timed_out"
            case .outOfMemory: "out_of_memory_budget"
            }
        }
    }
}
