public import Postgres
public import Vial

extension Query {
    /// The answer that `make` creates from the query's value. The query runs on the request's event loop, within the
    /// request's time and without a task, together with those of other requests of the same iteration. An error is
    /// answered like one that a handler throws.
    @inlinable
    public func map(_ make: @escaping @Sendable (Value) throws -> Answer) -> Answer {
        .work { caller in
            // The closure captures nothing else of the query.
            let decode = decode
            begin(on: caller.loop, until: caller.deadline) { rows in
                caller.answer { try make(decode(rows.get())) }
            }
        }
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
