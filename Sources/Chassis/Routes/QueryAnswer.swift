public import Postgres
public import Vial

extension Query {
    /// The answer that `make` makes of the value: asked for on the request's event loop, within the request's time and without
    /// a task, together with what other requests ask for in the same turn. An error is answered as one that a handler throws.
    @inlinable
    public func map(_ make: @escaping @Sendable (Value) throws -> Answer) -> Answer {
        .work { caller in
            // Of the query the closure holds nothing else.
            let decode = decode
            begin(on: caller.loop, until: caller.deadline) { rows in
                caller.answer { try make(decode(rows.get())) }
            }
        }
    }
}
