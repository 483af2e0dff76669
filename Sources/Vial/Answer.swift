public import Formatting
import FoundationEssentials
import HTTP1
public import HTTPTypes
public import Reactor

/// What a handler returns. It decides how the request is answered: at once with a response, by work on the request's event loop
/// such as a query to the database (`work`), or by a task (`task`).
///
/// The server owns the answer: it is sent exactly once. When there is none half a second after `ServerOptions.requestTimeout`,
/// which is what the handler and its queries have, it is 504 in any case.
public struct Answer {
    @usableFromInline
    enum Kind {
        case response(Response)
        case work((Caller) -> Void)
        case task(() async throws -> Answer)
    }

    @usableFromInline let kind: Kind

    @usableFromInline
    init(kind: Kind) {
        self.kind = kind
    }

    /// A response that is there.
    @inlinable
    public init(_ response: Response) {
        kind = .response(response)
    }

    /// A response with these bytes.
    ///
    /// - Parameter contentType: nil for an answer without a body.
    public init(status: HTTPResponse.Status, contentType: StaticString? = nil, body: [UInt8] = []) {
        self.init(Response(status: status, contentType: contentType, body: body))
    }

    /// Whatever `make` returns, in a task on the request's loop. What it throws is answered as what a handler throws.
    public static func task(_ make: @escaping () async throws -> Answer) -> Answer {
        Answer(kind: .task(make))
    }

    /// The answer that work brings which needs no task. For this package alone: whoever does the work answers exactly once, on
    /// the request's loop, which nobody else could be held to.
    ///
    /// - Parameter begin: begins the work, and must not block. It has `Caller.answer` called.
    @inlinable
    package static func work(_ begin: @escaping (Caller) -> Void) -> Answer {
        Answer(kind: .work(begin))
    }

    /// A value as `application/json`, in the bytes that it writes itself.
    public static func json(_ value: some JSONRepresentable, status: HTTPResponse.Status = .ok) throws -> Answer {
        try json(represented: value, status: status)
    }

    @inline(__always)
    private static func json(represented value: some JSONRepresentable, status: HTTPResponse.Status) throws -> Answer {
        var json = JSONWriter(reserving: value.byteEstimate)
        try value.write(to: &json)
        return Answer(status: status, contentType: "application/json", body: json.bytes)
    }

    /// The same of a type that `JSONEncoder` could write as well.
    public static func json(
        _ value: some JSONRepresentable & Encodable, status: HTTPResponse.Status = .ok
    ) throws -> Answer {
        try json(represented: value, status: status)
    }

    /// A value as `application/json`, by `JSONEncoder`: members in the order of their names, dates as RFC 3339 has them.
    ///
    /// - Throws: `EncodingError`, for instance of a number that is infinite.
    public static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Answer {
        let encoder = JSONEncoder.writingDates()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Answer(status: status, contentType: "application/json", body: Array(try encoder.encode(value)))
    }

    /// JSON written in place, as `application/json`.
    public static func json(
        status: HTTPResponse.Status = .ok, _ write: (inout JSONWriter) throws -> Void
    ) rethrows -> Answer {
        var json = JSONWriter(reserving: 256)
        try write(&json)
        return Answer(status: status, contentType: "application/json", body: json.bytes)
    }

    /// 204 without a body.
    public static var noContent: Answer { Answer(status: .noContent) }

    /// The same with a field more.
    ///
    /// - Throws: `FieldError` for a name or a value that cannot be sent, such as one with a line break; of an answer that comes
    ///   later, when it comes.
    public func field(_ name: String, _ value: String) throws -> Answer {
        try changed { response in try response.fields.append(name, value) }
    }

    /// The same with a field more, whose value is UTF-8.
    ///
    /// - Throws: as `field(_:_:)`.
    public func field(_ name: StaticString, utf8 value: [UInt8]) throws -> Answer {
        // Of most answers, and without a closure.
        if case .response(var response) = kind {
            try response.fields.append(literal: name, utf8: value.span)
            return Answer(response)
        }
        return try changed { response in try response.fields.append(literal: name, utf8: value.span) }
    }

    /// The same with `Location`.
    ///
    /// - Throws: as `field(_:_:)`.
    public func location(_ target: String) throws -> Answer {
        try field("Location", utf8: Array(target.utf8))
    }

    /// The same, after which the connection closes, whatever the client wants.
    public func closing() throws -> Answer {
        try changed { response in response.closes = true }
    }

    /// The same with another response, once that is there.
    fileprivate func changed(_ change: @escaping @Sendable (inout Response) throws -> Void) throws -> Answer {
        switch kind {
        case .response(var response):
            try change(&response)
            return Answer(response)
        case .work(let begin):
            return .work { caller in begin(Caller(caller, change)) }
        case .task(let make):
            return .task { try await make().changed(change) }
        }
    }
}

/// The request that waits for the answer of work.
@usableFromInline
package struct Caller: Sendable {
    /// One reference in each case: a caller is copied into every closure of the work.
    enum Receiver: Sendable {
        case connection(LoopBound<Connection>)
        case changing(ChangingReceiver)
        case other(OtherReceiver)
    }

    let receiver: Receiver
    /// The moment on the monotonic clock by which the request is to be answered; nil: there is none.
    @usableFromInline package let deadline: UInt64?

    /// Called on the connection's loop.
    init(_ connection: Connection, deadline: UInt64) {
        receiver = .connection(LoopBound(connection, on: connection.worker.loop))
        self.deadline = deadline
    }

    /// A caller without a loop.
    ///
    /// - Parameter deliver: called as `answer` is.
    init(_ deliver: @escaping @Sendable (() throws -> Answer) -> Void) {
        receiver = .other(OtherReceiver(deliver))
        deadline = nil
    }

    /// The same, which gets another response than the answer has.
    fileprivate init(_ caller: Caller, _ change: @escaping @Sendable (inout Response) throws -> Void) {
        receiver = .changing(ChangingReceiver(caller, change))
        deadline = caller.deadline
    }

    /// The loop that the request is on, and the calling code; nil where there is none, as in tests.
    @usableFromInline package var loop: EventLoop? {
        switch receiver {
        case .connection(let bound): bound.value.worker.loop
        case .changing(let changing): changing.caller.loop
        case .other: nil
        }
    }

    /// Answers with what `make` returns, or with what its error becomes. Called exactly once, on `loop` where there is one,
    /// possibly before the function returns that began the work.
    @usableFromInline
    package func answer(_ make: () throws -> Answer) {
        switch receiver {
        case .connection(let bound): bound.value.deliver(make)
        case .changing(let changing): changing.caller.answer { try make().changed(changing.change) }
        case .other(let other): other.deliver(make)
        }
    }
}

/// A caller whose answers get a change on their way.
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
