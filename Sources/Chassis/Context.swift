public import Postgres
import Reactor
import Telemetry
import Vial

extension Service {
    /// What a service's routes are made with, on one event loop.
    public struct Context: Sendable {
        /// The database's connections of this loop.
        public let pool: Pool
        /// What the service's own variables hold.
        public let values: VariableValues
        let registry: Registry

        /// Something that the service counts, from 0 and from the start on; `/metrics` shows the sum over all loops. To be made
        /// where routes are registered, and not by a handler.
        ///
        /// - Parameters:
        ///   - name: as Prometheus has it, `orders_created_total`: lower-case words, the last one `total`. No name of a
        ///     metric that every service has: the start fails, and says which.
        ///   - help: a sentence for people.
        public func counter(_ name: String, _ help: String) -> Counter {
            Counter(cell: registry.counter(name, help: help))
        }

        /// A number that only grows. Any thread may count.
        public struct Counter: Sendable {
            let cell: Telemetry.Counter

            /// Counts one more.
            public func increment() {
                cell.increment()
            }
        }
    }

    /// The patterns of its own routes, found by adding them to an app that serves nobody.
    ///
    /// - Parameter values: of its own variables.
    func patterns(_ values: VariableValues) -> [String] {
        // Without one the start fails as well, and says why.
        guard let loop = try? EventLoop(index: 0) else { return [] }
        let connector = Connector(options: { () throws(DatabaseError) in throw .closing })
        let pool = Pool(
            on: loop, minimum: 0, maximum: 1, waitMilliseconds: 0, statementMilliseconds: 0, connector: connector,
            observe: { _ in })
        var app = App()
        addRoutes(&app, Context(pool: pool, values: values, registry: Registry()))
        return app.routes.map(\.pattern)
    }
}
