import HTTP1
import Logging
import Postgres
import Reactor
import Vial

// Converts the configuration into the options of the parts.

extension Connector {
    /// Applies migrations on the first connection, unless that is left to the command `migrate`.
    init(
        of service: Service, _ configuration: Configuration, credentials: DatabaseCredentials, logger: Logger,
        interruption: Interruption
    ) {
        let migrates = configuration.database.migratesOnStart
        let isPrepared = configuration.database.usesPreparedStatements
        let migrations = Migrations(service)
        let laterChanges = LaterChanges(service)
        let encodings = EncodingWarning(logger)
        self.init(
            options: credentials.options,
            statements: service.statements,
            prepare: { (session) throws(DatabaseError) in
                encodings.look(at: session)
                guard migrates else { return }
                // When nothing is prepared, nothing else would notice that the schema is gone.
                try migrations.apply(to: session, anew: !isPrepared)
                laterChanges.begin(seenFrom: session, logger: logger) { () throws(DatabaseError) in
                    let own = Connector(
                        options: credentials.options, renew: credentials.renew, interruption: interruption)
                    return try own.session()
                }
            },
            schemaChanged: migrations.forget,
            renew: credentials.renew,
            interruption: interruption)
    }
}

extension Database.Options {
    init(_ configuration: Configuration, memory: MemoryBudget) {
        self.init()
        self.memory = memory
        minimum = configuration.database.poolMinimum
        maximum = configuration.database.poolMaximum
        waitTimeout = configuration.database.poolTimeout
        statementTimeout = configuration.database.statementTimeout
    }
}

extension ServerOptions {
    init(of service: Service, _ configuration: Configuration, memory: MemoryBudget, connections: Int) {
        self.init()
        name = service.name
        self.memory = memory
        let http = configuration.http
        host = http.host
        port = http.port
        maxConnections = connections
        limits = Limits(
            headByteLimit: http.maxHeaderBytes, fieldCountLimit: http.maxHeaderCount, bodyByteLimit: http.maxBodyBytes)
        headerTimeout = http.headerTimeout
        bodyTimeout = http.bodyTimeout
        writeTimeout = http.writeTimeout
        requestTimeout = http.requestTimeout
        keepAliveTimeout = http.keepAliveTimeout
        drainDelay = configuration.drain.delay
        drainTimeout = configuration.drain.timeout
    }

    /// The same for the port of `/metrics` and `/db`, which gets no requests from a load balancer: it drains without a
    /// delay.
    func admin(port: UInt16) -> ServerOptions {
        var options = self
        options.port = port
        options.drainDelay = .zero
        return options
    }
}
