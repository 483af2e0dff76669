public import Postgres
import Reactor
import Telemetry
import Vial

extension Service {
    /// What a service's routes need on one event loop.
    public struct Context: Sendable {
        /// This loop's database connections.
        public let pool: Pool
        /// The values of the service's own variables.
        public let values: VariableValues
        /// Whether a write that changes an existing resource must have `If-Match`: `REQUIRE_PRECONDITIONS`. For
        /// `Preconditions(_:isRequired:)`.
        public let requiresPreconditions: Bool
        let registry: Registry

        /// A counter of the service, from 0 at the start; `/metrics` shows the sum over all loops. Create it where
        /// routes are registered, and not in a handler.
        ///
        /// - Parameters:
        ///   - name: in Prometheus' form, `orders_created_total`: lower-case words, the last one `total`. Not the name of
        ///     a metric that every service has: the start fails with its name.
        ///   - help: a sentence for people.
        public func counter(_ name: String, _ help: String) -> Counter {
            Counter(cell: registry.counter(name, help: help))
        }

        /// A number that only grows. Any thread may count.
        public struct Counter: Sendable {
            let cell: Telemetry.Counter

            /// Adds one.
            public func increment() {
                cell.increment()
            }

            /// Adds a number, which is not negative.
            public func increment(by amount: Int) {
                cell.increment(by: UInt64(amount))
            }
        }
    }

    /// The patterns of the service's own routes, found by adding them to an app that serves no request.
    ///
    /// - Parameter values: of its own variables.
    func patterns(_ values: VariableValues) -> [String] {
        // Without a loop the start fails too, with the reason.
        guard let loop = try? EventLoop(index: 0) else { return [] }
        let connector = Connector(options: { () throws(DatabaseError) in throw .closing })
        let pool = Pool(
            on: loop, minimum: 0, maximum: 1, waitLimit: .zero, statementLimit: .zero, connector: connector,
            observe: { _ in })
        var app = App()
        addRoutes(&app, Context(pool: pool, values: values, requiresPreconditions: false, registry: Registry()))
        return app.routes.map(\.pattern)
    }
}
