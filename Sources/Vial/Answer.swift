public import Formatting
import FoundationEssentials
import HTTP1
public import HTTPTypes
public import Platform
public import Reactor

/// What a handler returns: a finished response, work on the request's event loop such as a database query (`work`), or
/// a task (`task`).
///
/// The server sends exactly one response. `ServerOptions.requestTimeout` limits the handler and its queries; if there
/// is still no response half a second later, the server sends 504.
public struct Answer {
    @usableFromInline
    enum Kind {
        case response(Response)
        case work(any Work)
        case task(() async throws -> Answer)
    }

    @usableFromInline let kind: Kind

    @usableFromInline
    init(kind: Kind) {
        self.kind = kind
    }

    /// A finished response.
    @inlinable
    public init(_ response: Response) {
        kind = .response(response)
    }

    /// A response with this body.
    ///
    /// - Parameter contentType: nil for a response without a body.
    public init(status: HTTPResponse.Status, contentType: StaticString? = nil, body: [UInt8] = []) {
        self.init(Response(status: status, contentType: contentType, body: body))
    }

    /// Runs `make` in a task on the request's loop. An error it throws is handled like one that the handler throws.
    public static func task(_ make: @escaping () async throws -> Answer) -> Answer {
        Answer(kind: .task(make))
    }

    /// The answer of work that needs no task. Package access, because the compiler cannot check what `Work` requires.
    @inlinable
    package static func work(_ work: any Work) -> Answer {
        Answer(kind: .work(work))
    }

    /// As above, for a function.
    ///
    /// - Parameter begin: used as `Work.begin`.
    package static func work(_ begin: @escaping (Caller) -> Void) -> Answer {
        .work(WorkingFunction(begin))
    }

    /// `application/json`, written by the value's own `write(to:)`.
    public static func json(_ value: some JSONRepresentable, status: HTTPResponse.Status = .ok) throws -> Answer {
        try json(represented: value, status: status)
    }

    @inline(__always)
    private static func json(represented value: some JSONRepresentable, status: HTTPResponse.Status) throws -> Answer {
        var json = JSONWriter(reserving: value.byteEstimate)
        try value.write(to: &json)
        return Answer(status: status, contentType: "application/json", body: json.bytes)
    }

    /// As above, for types that are also `Encodable`: `JSONRepresentable` takes precedence.
    public static func json(
        _ value: some JSONRepresentable & Encodable, status: HTTPResponse.Status = .ok
    ) throws -> Answer {
        try json(represented: value, status: status)
    }

    /// `application/json`, written by `JSONEncoder` with sorted keys and RFC 3339 dates.
    ///
    /// - Throws: `EncodingError`, for instance for an infinite number.
    public static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Answer {
        let encoder = JSONEncoder.writingDates()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Answer(status: status, contentType: "application/json", body: Array(try encoder.encode(value)))
    }

    /// `application/json`, written by the closure.
    public static func json(
        status: HTTPResponse.Status = .ok, _ write: (inout JSONWriter) throws -> Void
    ) rethrows -> Answer {
        var json = JSONWriter(reserving: 256)
        try write(&json)
        return Answer(status: status, contentType: "application/json", body: json.bytes)
    }

    /// 204 without a body.
    public static var noContent: Answer { Answer(status: .noContent) }

    /// Adds a header field.
    ///
    /// - Throws: `FieldError` for a name or value that cannot be sent, such as one with a line break. For `work` and
    ///   `task` the error becomes the response later.
    public func field(_ name: String, _ value: String) throws -> Answer {
        try changed { response in try response.fields.append(name, value) }
    }

    /// Adds a header field whose value is UTF-8.
    ///
    /// - Throws: as `field(_:_:)`.
    public func field(_ name: StaticString, utf8 value: [UInt8]) throws -> Answer {
        // Most answers are finished responses; they need no closure.
        if case .response(var response) = kind {
            try response.fields.append(literal: name, utf8: value.span)
            return Answer(response)
        }
        return try changed { response in try response.fields.append(literal: name, utf8: value.span) }
    }

    /// Adds a `Location` field.
    ///
    /// - Throws: as `field(_:_:)`.
    public func location(_ target: String) throws -> Answer {
        try field("Location", utf8: Array(target.utf8))
    }

    /// Closes the connection after the response, even if the client asked to keep it open.
    public func closing() throws -> Answer {
        try changed { response in response.closes = true }
    }

    /// Applies `change` to the response, at once or when it arrives.
    func changed(_ change: @escaping @Sendable (inout Response) throws -> Void) throws -> Answer {
        switch kind {
        case .response(var response):
            try change(&response)
            return Answer(response)
        case .work(let work):
            return .work { caller in work.begin(for: Caller(caller, change)) }
        case .task(let make):
            return .task { try await make().changed(change) }
        }
    }
}

/// Work that calls back when it is done.
@usableFromInline
package protocol Work: AnyObject {
    /// Starts the work; must not block. Called once for each request, on its loop if there is one. The work then
    /// calls `caller.answer` exactly once, there too, possibly before this function returns.
    func begin(for caller: Caller)
}

/// Work that is a function.
final class WorkingFunction: Work {
    private let function: (Caller) -> Void

    init(_ function: @escaping (Caller) -> Void) {
        self.function = function
    }

    func begin(for caller: Caller) { function(caller) }
}

/// The request that waits for the answer of work.
@usableFromInline
package struct Caller: Sendable {
    /// Each case holds a single reference, because a caller is copied into every closure of the work.
    enum Receiver: Sendable {
        case connection(LoopBound<Connection>)
        case changing(ChangingReceiver)
        case other(OtherReceiver)
    }

    let receiver: Receiver
    /// Deadline for the response on the monotonic clock; nil if there is none.
    @usableFromInline package let deadline: Instant?

    /// Call on the connection's loop.
    init(_ connection: Connection, deadline: Instant) {
        receiver = .connection(LoopBound(connection, on: connection.worker.loop))
        self.deadline = deadline
    }

    /// A caller without a loop.
    ///
    /// - Parameter deliver: receives the result, under the same rules as `answer`.
    init(_ deliver: @escaping @Sendable (() throws -> Answer) -> Void) {
        receiver = .other(OtherReceiver(deliver))
        deadline = nil
    }

    /// Applies `change` to the response before `caller` receives it.
    fileprivate init(_ caller: Caller, _ change: @escaping @Sendable (inout Response) throws -> Void) {
        receiver = .changing(ChangingReceiver(caller, change))
        deadline = caller.deadline
    }

    /// The request's loop, on which the calling code runs; nil where there is none, as in tests.
    @usableFromInline package var loop: EventLoop? {
        switch receiver {
        case .connection(let bound): bound.value.worker.loop
        case .changing(let changing): changing.caller.loop
        case .other: nil
        }
    }

    /// Whether the request is on this loop.
    package func isOn(_ loop: EventLoop) -> Bool {
        switch receiver {
        case .connection(let bound): bound.value.worker.loop === loop
        case .changing(let changing): changing.caller.isOn(loop)
        case .other: false
        }
    }

    /// Answers with the result of `make`, or with the response for its error. Call exactly once, on `loop` if there is
    /// one; calling it before `begin` returns is allowed.
    @usableFromInline
    package consuming func answer(_ make: () throws -> Answer) {
        switch receiver {
        case .connection(let bound): bound.value.deliver(make)
        case .changing(let changing): changing.caller.answer { try make().changed(changing.change) }
        case .other(let other): other.deliver(make)
        }
    }
}

/// Applies a change to the response before the caller receives it.
final class ChangingReceiver: Sendable {
    let caller: Caller
    let change: @Sendable (inout Response) throws -> Void

    init(_ caller: Caller, _ change: @escaping @Sendable (inout Response) throws -> Void) {
        self.caller = caller
        self.change = change
    }
}

final class OtherReceiver: Sendable {
    let deliver: @Sendable (() throws -> Answer) -> Void

    init(_ deliver: @escaping @Sendable (() throws -> Answer) -> Void) {
        self.deliver = deliver
    }
}
