public import Postgres
public import Vial

extension Query {
    /// The answer that `make` creates from the query's value. The query runs on the request's event loop, within the
    /// request's time and without a task, together with those of other requests of the same iteration. An error is
    /// answered like one that a handler throws.
    @inlinable
    public func map(_ make: @escaping @Sendable (Value) throws -> Answer) -> Answer {
        .work(QueryAnswer(self, make))
    }
}

/// The answer of a query: begins it for a request, and receives its rows. One object for both, because each request
/// allocates it.
@usableFromInline
final class QueryAnswer<Value: Sendable>: Work, StatementCaller {
    private let query: Query<Value>
    private let make: @Sendable (Value) throws -> Answer
    private var caller: Caller?

    @usableFromInline
    init(_ query: consuming Query<Value>, _ make: @escaping @Sendable (Value) throws -> Answer) {
        self.query = query
        self.make = make
    }

    @usableFromInline
    func begin(for caller: Caller) {
        guard self.caller == nil, caller.isOn(query.pool.loop) else { return beginApart(caller) }
        self.caller = caller
        query.begin(until: caller.deadline, for: self)
    }

    /// For a request on another loop than the pool's, or on none, since this object stays on its loop; and for a second
    /// request with this answer while the first one waits.
    private func beginApart(_ caller: Caller) {
        let (decode, make) = (query.decode, make)
        query.begin(on: caller.loop, until: caller.deadline) { rows in
            caller.answer { try make(decode(rows.get())) }
        }
    }

    @usableFromInline
    func receive(_ outcome: Result<Rows, DatabaseError>) {
        guard let caller = caller.take() else { fatalError("a query has an outcome without a caller, or a second one") }
        caller.answer { try make(query.decode(outcome.get())) }
    }
}

// A declared operation answers with the query's value.
extension Query: Outcome where Value: Outcome {
    public typealias Content = Value.Content
    public static var isOptional: Bool { Value.isOptional }

    @inlinable
    public func answer(_ declared: DeclaredAnswer<Value.Content>, path: String?) -> Answer {
        map { value in try value.answer(declared, path: path) }
    }
}
