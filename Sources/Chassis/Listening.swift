import Reactor
import Vial

/// The parts from which a service's servers are created.
struct Listening {
    let service: Service
    let configuration: Configuration
    let memory: MemoryBudget
    let descriptors: DescriptorBudget
    let loops: [EventLoop]
    /// One per loop, like the routes.
    let observers: [LoopBound<LoopObserver>]
    let routes: [StandardRoutes]

    /// The server for clients.
    func server(adopting socket: Int32?, drain: Drain) throws(SystemError) -> Server {
        try Server(
            on: loops, options: options(connections: descriptors.connections), adopting: socket, drain: drain,
            trusts: trusts,
            makeApp: { loop in
                var app = routes[loop.index].app(
                    basePath: configuration.http.basePath, healthPaths: configuration.health.paths,
                    hidesOperations: configuration.http.adminPort != nil)
                app.crossOrigin = configuration.http.crossOrigin
                return app
            },
            observe: { loop in { [observer = observers[loop.index]] in observer.value.observe($0) } })
    }

    /// The server of the operators' port.
    func admin(port: UInt16) throws(SystemError) -> Server {
        try Server(
            on: loops, options: options(connections: descriptors.adminConnections).admin(port: port), trusts: trusts,
            makeApp: { routes[$0.index].app() },
            observe: { loop in
                { [observer = observers[loop.index]] event in
                    // The server for clients reports the drain.
                    if case .drain = event { return }
                    observer.value.observe(event)
                }
            })
    }

    private func options(connections: Int) -> ServerOptions {
        ServerOptions(of: service, configuration, memory: memory, connections: connections)
    }

    private var trusts: @Sendable (SocketAddress) -> Bool {
        { [proxies = configuration.http.trustedProxies] in proxies.contains(IPAddress(bytes: $0.bytes)) }
    }
}
