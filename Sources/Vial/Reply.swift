public import Reactor

/// Where the response to one request goes, given by a handler that returned before it knew it.
///
/// Sent exactly once, on `loop`; also before the handler returns.
public struct Reply: @unchecked Sendable {
    // Used on the loop's thread only.
    private let receiver: any ReplyReceiver
    /// The moment by which the request is to be answered, on the monotonic clock.
    public let deadline: UInt64?

    init(to receiver: any ReplyReceiver, deadline: UInt64?) {
        self.receiver = receiver
        self.deadline = deadline
    }

    /// The loop of the request; nil where there is none, in tests.
    public var loop: EventLoop? { receiver.loop }

    /// Answers the request; with what the error becomes where `make` throws one.
    public func send(_ make: () throws -> Response) {
        receiver.receive(make)
    }
}

/// Who asked a handler, and hears of the response.
protocol ReplyReceiver: AnyObject {
    /// The loop it is used on; nil where there is none, in tests.
    var loop: EventLoop? { get }
    func receive(_ make: () throws -> Response)
}
