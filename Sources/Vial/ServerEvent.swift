public import HTTP1
public import Reactor

/// An event of a server, reported when and on the loop where it happens.
public enum ServerEvent {
    case accepted
    case closed
    /// A head was read: the request is in flight until it is completed or abandoned.
    case started
    /// A response was written into the connection's buffer.
    ///
    /// `nanoseconds` counts from the reading of the head. `failure` is the error behind a response that hides it.
    case completed(Request, status: Int, bytes: Int, nanoseconds: UInt64, failure: (any Error)?)
    /// The connection ended before the request was answered.
    case abandoned
    /// A client's message was refused. The response is also reported as `completed`; if the head could not be parsed,
    /// its request has only an identifier and a peer. The connection closes after the response, unless the body was
    /// merely declared too large and can be dropped.
    case refused(Refusal)
    /// A client was lost or refused before it had a connection.
    case acceptFailed(SystemError)
    /// No descriptor is left: accepting pauses. Reported at most once in ten seconds per loop.
    case outOfDescriptors(SystemError)
    /// The connection limit is reached: further clients wait in the accept queue. Reported at most once in ten seconds
    /// per loop.
    case connectionLimitReached(Int)
    case drain(Drain.Phase)
    /// The drain timeout passed with `open` connections still open; they were cut.
    case drainTimedOut(open: Int)

    /// Why a message was refused.
    public enum Refusal: Error, Equatable, CustomStringConvertible {
        case malformed(ProtocolError)
        case headTimedOut
        case bodyTimedOut
        /// The memory budget has no room for the request.
        case outOfMemory

        /// The reason as a metric label: `head_timed_out`, or the `ProtocolError`'s.
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
